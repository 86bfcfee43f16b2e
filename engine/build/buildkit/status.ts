// A build's progress as BuildKit's Status tells it, kept for clients that ask late, within bounds.

import type { BuildEvent, BuildWarning } from '../progress.ts';
import type { Value } from '../proto/message.ts';
import type { StatusResponse } from './messages.ts';

type Status = Value<typeof StatusResponse>;

const LIMITS = {
  /** bytes of a build's output that are kept and sent */
  logs: 16 * 2 ** 20,
  /** events of a build; progress of transfers beyond this is not told */
  events: 100_000,
  /** bytes of output, and events, in one message */
  batch: 256 * 1024,
  batchEvents: 1000,
} as const;
/** Milliseconds between two messages: clients draw ten times a second. */
const INTERVAL = 50;
const STREAM = { stdout: 1, stderr: 2 } as const;

/** What one build told so far, and readers of it. */
export class StatusLog {
  readonly #events: BuildEvent[] = [];
  #logged = 0;
  #isEnded = false;
  readonly #wake = new Set<() => void>();

  readonly add = (event: BuildEvent): void => {
    if (this.#isEnded) return;
    if (event.type === 'log') {
      if (this.#logged > LIMITS.logs) return;
      this.#logged += event.data.length;
      if (this.#logged > LIMITS.logs) {
        const note = `\n[output clipped, log limit ${LIMITS.logs / 2 ** 20}MiB reached]\n`;
        this.#push({ ...event, data: Buffer.from(note) });
        return;
      }
    }
    const mayBeDropped = event.type === 'log' || (event.type === 'part' && event.completed === undefined);
    if (this.#events.length < LIMITS.events || !mayBeDropped) this.#push(event);
  };

  #push(event: BuildEvent): void {
    this.#events.push(event);
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const wake of [...this.#wake]) wake();
  }

  /** Nothing comes any more. */
  end(): void {
    this.#isEnded = true;
    this.#wakeAll();
  }

  /** Everything from the build's beginning to its end, several events in a message. */
  async *read(signal: AbortSignal): AsyncGenerator<Partial<Status>> {
    let at = 0;
    while (!signal.aborted) {
      if (at < this.#events.length) {
        const batch = this.#batch(at);
        at += batch.length;
        yield encodeStatus(batch);
        // what comes together is told together
        await this.#pause(INTERVAL, signal);
      } else if (this.#isEnded) return;
      else await this.#more(signal);
    }
  }

  #batch(from: number): BuildEvent[] {
    let size = 0;
    let to = from;
    while (to < this.#events.length && size < LIMITS.batch && to - from < LIMITS.batchEvents) {
      const event = this.#events[to++];
      if (event?.type === 'log') size += event.data.length;
    }
    return this.#events.slice(from, to);
  }

  /** Until something is told. */
  #more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#wake.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#wake.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  /** For a while, or until the end. */
  async #pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    const until = Date.now() + milliseconds;
    const timer = setTimeout(() => this.#wakeAll(), milliseconds);
    while (!this.#isEnded && !signal.aborted && Date.now() < until) await this.#more(signal);
    clearTimeout(timer);
  }
}

/** Events in BuildKit's words. */
export function encodeStatus(events: readonly BuildEvent[]): Partial<Status> {
  const now = BigInt(Date.now()) * 1_000_000n;
  const status: Status = { vertexes: [], statuses: [], logs: [], warnings: [] };
  for (const event of events) {
    if (event.type === 'vertex') {
      status.vertexes.push({
        digest: event.digest,
        inputs: [...event.inputs],
        name: event.name,
        cached: event.isCached,
        started: event.started,
        completed: event.completed,
        error: event.error,
      });
    } else if (event.type === 'part') {
      status.statuses.push({
        id: event.id,
        vertex: event.vertex,
        name: '',
        current: event.current,
        total: event.total,
        timestamp: event.completed ?? now,
        started: event.started,
        completed: event.completed,
      });
    } else if (event.type === 'log') {
      const stream = STREAM[event.stream];
      status.logs.push({ vertex: event.vertex, timestamp: event.time, stream, msg: event.data });
    } else {
      status.warnings.push(encodeWarning(event));
    }
  }
  return status;
}

function encodeWarning(warning: BuildWarning): Status['warnings'][number] {
  const { source } = warning;
  return {
    vertex: warning.vertex,
    level: 1,
    short: Buffer.from(`${warning.rule}: ${warning.message}`),
    detail: [Buffer.from(warning.description)],
    url: warning.url,
    info: source && { filename: source.file.name, data: source.file.data, language: 'Dockerfile' },
    ranges: source
      ? [{ start: { line: source.firstLine, character: 0 }, end: { line: source.lastLine, character: 0 } }]
      : [],
  };
}

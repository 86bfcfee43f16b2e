// One probe of a container's health: its command run to the end like docker exec, with a time limit, its output bounded.

import type { Container } from '../container/container.ts';
import { execFailedText, explainStartFailure } from '../container/failure.ts';
import { bundleDir } from '../container/files.ts';
import type { Probe } from '../container/health.ts';
import { SIGKILL } from '../container/kill.ts';
import type { ContainerParts } from '../container/parts.ts';
import type { ProbeResult } from '../container/record.ts';
import { formatNanos, nowNanos } from '../events/clock.ts';
import { formatDuration } from '../events/duration.ts';
import type { OciProcess } from '../runtime/oci.ts';
import { type Attachment, type ProcessSpec, StartFailed } from '../sandbox/init-types.ts';
import { commandOf, publishExec } from './create.ts';
import { crunExec } from './start.ts';
import type { Exec } from './store.ts';

/** Bytes of output that are kept (moby's maxOutputLen). */
const MAX_OUTPUT = 4096;
const LONGEST_TIMER = 2 ** 31 - 1;

export type ProbeParts = Pick<ContainerParts, 'sandbox' | 'containers' | 'events' | 'accounts' | 'log'>;

/** A probe that is about to run: an exec instance of its own, and how its process is made. */
export interface PreparedProbe {
  exec: Pick<Exec, 'id' | 'config'>;
  process: OciProcess;
  /** runs the start, when it is its turn: many probes at once would only slow each other */
  startInTurn<T>(start: () => Promise<T>): Promise<T>;
}

/** berth-init's name of a probe's process. */
export function probeKey(id: string): string {
  return `health.${id}`;
}

/** Runs a probe. A command that cannot be started or takes too long is a result too; rejects when nothing is known. */
export async function runProbe(
  parts: ProbeParts,
  container: Container,
  probe: Probe,
  prepared: PreparedProbe,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const { exec } = prepared;
  const start = formatNanos(nowNanos());
  const done = (exitCode: number, output: string): ProbeResult => ({
    start,
    end: formatNanos(nowNanos()),
    exitCode,
    output,
  });
  const output = new BoundedText(MAX_OUTPUT);
  publishExec(parts, container, exec, `exec_create: ${commandOf(exec)}`);
  publishExec(parts, container, exec, `exec_start: ${commandOf(exec)}`);
  try {
    const ending = await runCommand(parts, container, probe, prepared, output, signal);
    publishExec(parts, container, exec, 'exec_die', { exitCode: String(ending.exitCode) });
    if (!ending.tookTooLong) return done(ending.exitCode, output.text);
    const said = output.text === '' ? '' : `: ${output.text}`;
    return done(-1, `Health check exceeded timeout (${formatDuration(probe.timeout)})${said}`);
  } catch (error) {
    if (!(error instanceof StartFailed)) throw error;
    return done(-1, execFailedText(explainStartFailure(error)));
  }
}

async function runCommand(
  parts: ProbeParts,
  container: Container,
  probe: Probe,
  { exec, process, startInTurn }: PreparedProbe,
  output: BoundedText,
  signal: AbortSignal,
): Promise<{ exitCode: number; tookTooLong: boolean }> {
  const { init } = parts.sandbox;
  // One probe of a container runs at a time, so that the next one overwrites these.
  const directory = `${bundleDir(container.id)}/exec`;
  const file = `${directory}/health.json`;
  const spec: ProcessSpec = { key: probeKey(exec.id), adopt: { pidFile: `${directory}/health.pid` } };
  let attachment: Attachment | undefined;
  let tookTooLong = false;
  const kill = () => {
    init.signal(spec.key, SIGKILL).catch(() => attachment?.close());
  };
  const timer = setTimeout(
    () => {
      tookTooLong = true;
      kill();
    },
    Math.min(probe.timeout / 1e6, LONGEST_TIMER),
  );
  signal.addEventListener('abort', kill);
  try {
    await startInTurn(async () => {
      signal.throwIfAborted();
      await init.reserve(spec);
      attachment = await init.attach(spec.key, { stdout: true, stderr: true });
      await init.start(
        [
          { kind: 'mkdir', path: directory, mode: 0o700 },
          { kind: 'write', path: file, data: JSON.stringify(process), mode: 0o600 },
          { kind: 'exec', argv: crunExec(container, file) },
        ],
        spec,
      );
    });
    if (tookTooLong || signal.aborted) kill();
    if (attachment) for await (const { data } of attachment.output) output.add(data);
    const { status } = await init.waitExit(spec.key);
    return { exitCode: status, tookTooLong };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
    attachment?.close();
    await init.forget(spec.key).catch(() => undefined);
  }
}

/** Text up to a size; what is more is dropped and marked by dots. */
class BoundedText {
  readonly #chunks: Buffer[] = [];
  #room: number;
  #isCut = false;

  constructor(size: number) {
    this.#room = size;
  }

  add(data: Buffer): void {
    const kept = data.subarray(0, this.#room);
    if (kept.length < data.length) this.#isCut = true;
    this.#room -= kept.length;
    if (kept.length > 0) this.#chunks.push(Buffer.from(kept));
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8') + (this.#isCut ? '...' : '');
  }
}

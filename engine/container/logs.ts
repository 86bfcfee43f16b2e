// docker logs: what the container wrote, from its log.

import { Conflict } from '../errors.ts';
import { nowNanos, parseRfc3339 } from '../events/clock.ts';
import { logPlan, readableLog } from '../logger/drivers.ts';
import { type LogLine, linesOf } from '../logger/lines.ts';
import { logContent } from '../logger/sources.ts';
import type { Container } from './container.ts';
import type { ContainerParts } from './parts.ts';
import { type ContainerRecord, isRunning } from './record.ts';

export interface LogOptions {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  timestamps: boolean;
  /** the labels, variables and tag that the log options added */
  details: boolean;
  since: bigint | undefined;
  until: bigint | undefined;
  /** undefined is all */
  tail: number | undefined;
}

/** A line as it is shown; its bytes as a latin1 string, a character each. */
export interface LogChunk {
  stream: 'stdout' | 'stderr';
  bytes: string;
}

/** Throws NotImplemented when its driver keeps no log, Conflict when it is being removed. */
export function requireReadableLog({ record }: Container): void {
  if (record.intent === 'removing' || record.state.status === 'dead') {
    throw new Conflict('can not get logs from container which is dead or marked for removal');
  }
  readableLog(record);
}

/** The log's lines as they were written, until the end or, following, until the container's. Abort ends it. */
export async function* readLogs(
  parts: ContainerParts,
  container: Container,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<LogChunk[]> {
  requireReadableLog(container);
  const { record } = container;
  const stop = new AbortController();
  const abort = () => stop.abort();
  signal.addEventListener('abort', abort, { once: true });
  const timer = stopAt(options, abort);
  const content = logContent(
    parts.sandbox.init,
    planOf(record),
    { tail: options.tail, follow: options.follow && isRunning(record) ? container.key : undefined },
    stop.signal,
  );
  try {
    for await (const lines of linesOf(content)) {
      const { chunks, isDone } = select(lines, options);
      if (chunks.length > 0) yield chunks;
      if (isDone) return;
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

/** Options that could not be used for writing do not keep anyone from reading what there is. */
function planOf(record: ContainerRecord): { path: string } {
  try {
    return logPlan(record) ?? { path: readableLog(record) };
  } catch {
    return { path: readableLog(record) };
  }
}

function stopAt({ follow, until }: LogOptions, stop: () => void): NodeJS.Timeout | undefined {
  if (!follow || until === undefined) return undefined;
  const milliseconds = Number((until - nowNanos()) / 1_000_000n);
  return setTimeout(stop, Math.min(Math.max(milliseconds, 0), 2 ** 31 - 1));
}

function select(lines: readonly LogLine[], options: LogOptions): { chunks: LogChunk[]; isDone: boolean } {
  const { since, until } = options;
  const chunks: LogChunk[] = [];
  for (const line of lines) {
    if (since !== undefined || until !== undefined) {
      const nanos = parseRfc3339(line.time);
      if (since !== undefined && nanos < since) continue;
      if (until !== undefined && nanos > until) return { chunks, isDone: true };
    }
    if (options[line.stream]) chunks.push({ stream: line.stream, bytes: shown(line, options) });
  }
  return { chunks, isDone: false };
}

function shown({ time, bytes, attrs }: LogLine, { timestamps, details }: LogOptions): string {
  if (!timestamps && !details) return bytes;
  return `${timestamps ? `${padTime(time)} ` : ''}${details ? `${detailsOf(attrs)} ` : ''}${bytes}`;
}

/** Docker writes timestamps of logs with all nine digits, so that lines are aligned. */
function padTime(time: string): string {
  const match = /^([^.Z]+)(?:\.(\d+))?Z$/.exec(time);
  return match ? `${match[1]}.${(match[2] ?? '').padEnd(9, '0')}Z` : time;
}

/** `name=value,…` as moby's httputils writes them: by name, escaped like a query. */
function detailsOf(attrs: LogLine['attrs']): string {
  return Object.entries(attrs ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${escapeQuery(name)}=${escapeQuery(value)}`)
    .join(',');
}

/** Go's url.QueryEscape. */
function escapeQuery(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString())
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
}

// docker logs: what the container wrote, from its json-file log.

import type { Readable } from 'node:stream';
import { z } from 'zod';
import { NotFound, NotImplemented } from '../errors.ts';
import { nowNanos, parseRfc3339 } from '../events/clock.ts';
import type { Container } from './container.ts';
import { logPath } from './files.ts';
import type { ContainerParts } from './parts.ts';
import { isRunning } from './record.ts';

const Line = z.object({ log: z.string(), stream: z.enum(['stdout', 'stderr']), time: z.string() });

export interface LogOptions {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  timestamps: boolean;
  since: bigint | undefined;
  until: bigint | undefined;
  /** undefined is all */
  tail: number | undefined;
}

export interface LogChunk {
  stream: 'stdout' | 'stderr';
  data: Buffer;
}

/** A log line is at most 16 KiB, and grows by escapes; longer ones were not written by us. */
const LONGEST_LINE = 256 * 1024;

/** The log's lines as they were written, until the end or, following, until the container's. Abort ends it. */
export async function* readLogs(
  parts: ContainerParts,
  container: Container,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<LogChunk> {
  if (container.record.hostConfig.LogConfig.Type !== 'json-file') {
    throw new NotImplemented('configured logging driver does not support reading');
  }
  const body = await openLog(parts, container, options);
  if (!body) return;
  const stop = () => body.destroy();
  signal.addEventListener('abort', stop, { once: true });
  const timer = stopAt(options, stop);
  try {
    for await (const line of linesOf(body)) {
      const chunk = parseLine(line, options);
      if (chunk === 'after') break;
      if (chunk) yield chunk;
    }
  } catch (error) {
    if (!body.destroyed) throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    body.destroy();
  }
}

async function openLog(
  parts: ContainerParts,
  container: Container,
  options: LogOptions,
): Promise<Readable | undefined> {
  const follows = options.follow && isRunning(container.record);
  try {
    const file = await parts.sandbox.init.readFile(logPath(container.id), {
      ...(options.tail === undefined ? {} : { tailLines: options.tail }),
      ...(follows ? { follow: container.key } : {}),
    });
    return file.body;
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    throw error;
  }
}

function stopAt({ follow, until }: LogOptions, stop: () => void): NodeJS.Timeout | undefined {
  if (!follow || until === undefined) return undefined;
  const milliseconds = Number((until - nowNanos()) / 1_000_000n);
  return setTimeout(stop, Math.min(Math.max(milliseconds, 0), 2 ** 31 - 1));
}

/** Lines of a stream; one that is too long is dropped. */
async function* linesOf(body: Readable): AsyncGenerator<Buffer> {
  let pending: Buffer[] = [];
  let pendingSize = 0;
  for await (const piece of body) {
    let rest: Buffer = piece;
    for (;;) {
      const end = rest.indexOf(10);
      const part = end < 0 ? rest : rest.subarray(0, end);
      pendingSize += part.length;
      if (pendingSize <= LONGEST_LINE) pending.push(part);
      if (end < 0) break;
      if (pendingSize <= LONGEST_LINE) yield Buffer.concat(pending);
      pending = [];
      pendingSize = 0;
      rest = rest.subarray(end + 1);
    }
  }
}

function parseLine(line: Buffer, options: LogOptions): LogChunk | 'after' | undefined {
  const parsed = parseJson(line);
  if (!parsed) return undefined;
  const { log, stream, time } = parsed;
  if (options.since !== undefined || options.until !== undefined) {
    const nanos = parseRfc3339(time);
    if (options.since !== undefined && nanos < options.since) return undefined;
    if (options.until !== undefined && nanos > options.until) return 'after';
  }
  if (!options[stream]) return undefined;
  return { stream, data: Buffer.from(options.timestamps ? `${padTime(time)} ${log}` : log) };
}

/** The student may write to the file: a line that is not one is skipped. */
function parseJson(line: Buffer): z.infer<typeof Line> | undefined {
  try {
    const parsed = Line.safeParse(JSON.parse(line.toString('utf8')));
    if (!parsed.success) return undefined;
    parseRfc3339(parsed.data.time);
    return parsed.data;
  } catch {
    return undefined;
  }
}

/** Docker writes timestamps of logs with all nine digits, so that lines are aligned. */
function padTime(time: string): string {
  const match = /^([^.Z]+)(?:\.(\d+))?Z$/.exec(time);
  return match ? `${match[1]}.${(match[2] ?? '').padEnd(9, '0')}Z` : time;
}

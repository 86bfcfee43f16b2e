// The files of a log in the order in which they were written, while berth-init may rotate them.

import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { EngineError, Unavailable } from '../errors.ts';
import type { FileStream, InitApi } from '../sandbox/init-types.ts';
import type { LogPlan } from './driver.ts';

/** A file may be over its size by the line that filled it, or as long as the one before it is compressed. */
const SLACK = 64 * 2 ** 20;
const ATTEMPTS = 5;

export interface SourceOptions {
  /** at most so many of the last lines; undefined is all */
  tail: number | undefined;
  /** key of the process whose log it is: go on until it has ended */
  follow: string | undefined;
}

/** A file of the log that is to be read now. */
interface Source {
  path: string;
  inode: bigint;
  isCompressed: boolean;
}

/** What the log holds, oldest first, piece by piece; nothing when there is no log yet. */
export async function* logContent(
  init: InitApi,
  plan: LogPlan,
  options: SourceOptions,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const { rotation } = plan;
  const older =
    rotation && rotation.files > 1 && options.tail !== 0
      ? await olderFiles(init, plan, rotation.files, options.tail, signal)
      : { sources: [], tails: new Map<bigint, number>() };
  for (const source of older.sources) {
    yield* contentOf(init, plan, source, older.tails.get(source.inode), signal);
  }
  const current = await open(init, plan.path, {
    ...(options.tail === undefined || older.sources.length > 0 ? {} : { tailLines: options.tail }),
    ...(options.follow === undefined ? {} : { follow: options.follow }),
  });
  if (current) yield* readThrough(current.body, signal);
}

/** The files before the current one of which lines are wanted, and of how many of their last lines. */
async function olderFiles(
  init: InitApi,
  plan: LogPlan,
  files: number,
  tail: number | undefined,
  signal: AbortSignal,
): Promise<{ sources: Source[]; tails: Map<bigint, number> }> {
  const tails = new Map<bigint, number>();
  for (let attempt = 1; ; attempt++) {
    const before = await inodeOf(init, plan.path);
    const found = await listOlder(init, plan.path, files);
    let wanted = tail ?? Number.POSITIVE_INFINITY;
    if (tail !== undefined) wanted -= await countLines(init, plan, undefined, wanted, signal);
    const sources: Source[] = [];
    for (const source of found) {
      if (wanted <= 0 || signal.aborted) break;
      sources.unshift(source);
      if (tail === undefined) continue;
      const lines = await countLines(init, plan, source, wanted, signal);
      tails.set(source.inode, wanted);
      wanted -= lines;
    }
    // Rotated meanwhile: what was the current file is another one now.
    if ((await inodeOf(init, plan.path)) === before || attempt === ATTEMPTS) return { sources, tails };
  }
}

/** Youngest first. */
async function listOlder(init: InitApi, path: string, files: number): Promise<Source[]> {
  const sources: Source[] = [];
  for (let number = 1; number < files; number++) {
    const names = [`${path}.${number}`, `${path}.${number}.gz`];
    const found: Source[] = [];
    for (const name of names) {
      const inode = await inodeOf(init, name);
      if (inode !== undefined) found.push({ path: name, inode, isCompressed: name.endsWith('.gz') });
    }
    // Both are there while it is being compressed: the plain one is whole.
    const [first] = found;
    if (!first) break;
    sources.push(first);
  }
  return sources;
}

/** How many lines a file has, up to `limit`. */
async function countLines(
  init: InitApi,
  plan: LogPlan,
  source: Source | undefined,
  limit: number,
  signal: AbortSignal,
): Promise<number> {
  let lines = 0;
  const content = source
    ? contentOf(init, plan, source, limit, signal)
    : currentTail(init, plan.path, limit, signal);
  for await (const piece of content) {
    for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) lines += 1;
  }
  return Math.min(lines, limit);
}

async function* currentTail(
  init: InitApi,
  path: string,
  lines: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const file = await open(init, path, { tailLines: lines });
  if (file) yield* readThrough(file.body, signal);
}

/** An older file, whole or its last lines. It may be gone, or not be what its name says: then it is at its end. */
async function* contentOf(
  init: InitApi,
  plan: LogPlan,
  { path, isCompressed }: Source,
  tail: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const limit = (plan.rotation?.size ?? 0) + SLACK;
  if (!isCompressed) {
    const file = await open(init, path, { limit, ...(tail === undefined ? {} : { tailLines: tail }) });
    if (file) yield* readThrough(file.body, signal);
    return;
  }
  let skip = 0;
  if (tail !== undefined) {
    const whole = await countAll(unzipped(init, path, limit, signal));
    skip = Math.max(0, whole - tail);
  }
  for await (const piece of unzipped(init, path, limit, signal)) {
    let rest: Buffer = piece;
    for (; skip > 0 && rest.length > 0; skip--) {
      const end = rest.indexOf(10);
      if (end < 0) break;
      rest = rest.subarray(end + 1);
    }
    if (skip === 0) yield rest;
  }
}

async function countAll(content: AsyncIterable<Buffer>): Promise<number> {
  let lines = 0;
  for await (const piece of content) {
    for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) lines += 1;
  }
  return lines;
}

/** At most `limit` bytes come out of it, however little went in. */
async function* unzipped(
  init: InitApi,
  path: string,
  limit: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const file = await open(init, path, { limit });
  if (!file) return;
  const gunzip = createGunzip();
  file.body.once('error', (error) => gunzip.destroy(error));
  file.body.pipe(gunzip);
  let left = limit;
  try {
    for await (const piece of readThrough(gunzip, signal)) {
      left -= piece.length;
      if (left < 0) return;
      yield piece;
    }
  } catch (error) {
    if (error instanceof EngineError) throw error;
    // not what gzip wrote: there is nothing more to read in it
  } finally {
    file.body.destroy();
    gunzip.destroy();
  }
}

async function inodeOf(init: InitApi, path: string): Promise<bigint | undefined> {
  const file = await open(init, path, { limit: 0 });
  file?.body.destroy();
  return file?.inode;
}

async function open(
  init: InitApi,
  path: string,
  options: Parameters<InitApi['readFile']>[1],
): Promise<FileStream | undefined> {
  try {
    return await init.readFile(path, options);
  } catch (error) {
    // not there, or something else than a file in its place
    if (error instanceof EngineError && !(error instanceof Unavailable)) return undefined;
    throw error;
  }
}

/** Until its end, or the signal, which also ends a wait for more. */
async function* readThrough(body: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
  const stop = () => body.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) return;
    for await (const piece of body) yield piece;
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    body.destroy();
  }
}

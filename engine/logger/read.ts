// Reading files of a log: through to their end, decompressed, and line by line; bounded, since a student may have written them.

import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { EngineError, Unavailable } from '../errors.ts';
import type { FileStream, InitApi } from '../sandbox/init-types.ts';
import type { LogPlan } from './driver.ts';

/** A file may be over its size by the lines that filled it, or by as much as came while the one before it was compressed. */
export const SLACK = 64 * 2 ** 20;

const NEWLINE = 10;

/** Undefined when it is not there, or something else than a file is in its place. */
export async function open(
  init: InitApi,
  path: string,
  options: Parameters<InitApi['readFile']>[1],
): Promise<FileStream | undefined> {
  try {
    return await init.readFile(path, options);
  } catch (error) {
    if (error instanceof EngineError && !(error instanceof Unavailable)) return undefined;
    throw error;
  }
}

/** Until its end, or the signal, which also ends a wait for more. */
export async function* readThrough(body: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
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

/** What gzip(1) compressed. However little went in, no more comes out than a file of the log can have. */
export async function* unzipped(
  { body }: FileStream,
  plan: LogPlan,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const gunzip = createGunzip();
  body.once('error', (error) => gunzip.destroy(error));
  body.pipe(gunzip);
  let left = (plan.rotation?.size ?? 0) + SLACK;
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
    body.destroy();
    gunzip.destroy();
  }
}

export async function countLines(content: AsyncIterable<Buffer>): Promise<number> {
  let lines = 0;
  for await (const piece of content) {
    for (let at = piece.indexOf(NEWLINE); at >= 0; at = piece.indexOf(NEWLINE, at + 1)) lines += 1;
  }
  return lines;
}

/** Without its first lines. */
export async function* skipLines(content: AsyncIterable<Buffer>, count: number): AsyncGenerator<Buffer> {
  let skip = count;
  for await (const piece of content) {
    let rest: Buffer = piece;
    for (; skip > 0 && rest.length > 0; skip--) {
      const end = rest.indexOf(NEWLINE);
      if (end < 0) break;
      rest = rest.subarray(end + 1);
    }
    if (skip === 0) yield rest;
  }
}

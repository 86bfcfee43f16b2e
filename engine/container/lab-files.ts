// Reading small files of the sandbox, bounded: they are the student's, and may be anything.

import type { Readable } from 'node:stream';
import { InvalidParameter, NotFound } from '../errors.ts';
import type { InitApi } from '../sandbox/init-types.ts';

const LIMIT = 2 ** 20;

/** The file's first MiB as text; undefined when it is not there or not a regular file. */
export async function readText(init: InitApi, path: string): Promise<string | undefined> {
  let body: Readable;
  try {
    body = (await init.readFile(path, { limit: LIMIT })).body;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** Whether a path is there, whatever it is. */
export async function pathExists(init: InitApi, path: string): Promise<boolean> {
  try {
    (await init.readFile(path, { limit: 0 })).body.destroy();
    return true;
  } catch (error) {
    if (error instanceof NotFound) return false;
    // berth-init opens regular files only
    if (error instanceof InvalidParameter) return true;
    throw error;
  }
}

/** Not there, or a directory, device or FIFO in its place. */
function isAbsent(error: unknown): boolean {
  return error instanceof NotFound || error instanceof InvalidParameter;
}

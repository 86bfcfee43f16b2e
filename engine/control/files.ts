// Reading and writing files of the lab host, always through its PID 1, never by a host path.

import path from 'node:path';
import type { FileResult } from '../client/types.ts';
import { InvalidParameter, NotFound, SystemError } from '../errors.ts';
import { StartFailed } from '../sandbox/init-types.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

export const DEFAULT_READ = 2 ** 20;
export const MAX_READ = 64 * 2 ** 20;
/** A START frame has 4 MiB. */
export const MAX_WRITE = 3 * 2 ** 20;
const ENOENT = 2;

function checkPath(file: string): string {
  if (!path.isAbsolute(file) || file.includes('\0'))
    throw new InvalidParameter(`"${file}" is not an absolute path`);
  return file;
}

export async function readFile(sandbox: Sandbox, file: string, limit: number): Promise<FileResult> {
  const stream = await sandbox.init.readFile(checkPath(file), { limit: limit + 1 });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream.body) {
    if (!Buffer.isBuffer(chunk)) continue;
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) break;
  }
  const content = Buffer.concat(chunks);
  return {
    path: file,
    size: stream.size,
    mode: stream.mode,
    uid: stream.uid,
    gid: stream.gid,
    modified: new Date(Number(stream.mtime / 1_000_000n)).toISOString(),
    content: content.subarray(0, limit).toString('base64'),
    truncated: content.length > limit,
  };
}

/** Replaces the file as a whole; folders on the way are made. */
export async function writeFile(
  sandbox: Sandbox,
  file: string,
  content: Buffer,
  mode: number,
): Promise<void> {
  const target = checkPath(file);
  try {
    await sandbox.init.start([
      { kind: 'mkdir', path: path.dirname(target) },
      { kind: 'write', path: target, data: content, mode },
    ]);
  } catch (error) {
    if (!(error instanceof StartFailed)) throw error;
    throw error.errno === ENOENT ? new NotFound(error.text) : new SystemError(error.text, { cause: error });
  }
}

// Unpacking a public layer into the shared store: by a process that has no rights over the host, and within bounds.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { SystemError } from '../errors.ts';
import { Digester, decompressGzip } from './bytes.ts';

/** Bytes that an archive may have, uncompressed. */
const MAX_ARCHIVE = 16 * 2 ** 30;
/** What the host's disk must still have free. */
const MIN_FREE = 2 ** 30;
const CHECK_EVERY = 64 * 2 ** 20;
const MAX_COMPLAINT = 4000;

export interface Unpacker {
  launchBinary: string;
  initBinary: string;
  /** host id of the first of 65,536 that nothing else has */
  uidBase: number;
}

/** Unpacks a blob (gzip or plain tar) to `staging`/files. Gives the archive's digest and the bytes of its files. */
export async function unpackShared(
  unpacker: Unpacker,
  blob: string,
  staging: string,
  signal: AbortSignal,
): Promise<{ diffId: string; size: number }> {
  await fs.mkdir(path.join(staging, 'files'), { recursive: true, mode: 0o755 });
  const args = ['unpack', staging, unpacker.initBinary, String(unpacker.uidBase)];
  const child = spawn(unpacker.launchBinary, args, {
    stdio: 'pipe',
    cwd: '/',
    env: {},
    killSignal: 'SIGKILL',
    signal,
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  let complaint = '';
  let answer = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (complaint.length < MAX_COMPLAINT) complaint += chunk.toString('utf8');
  });
  child.stdout.on('data', (chunk: Buffer) => {
    if (answer.length < 100) answer += chunk.toString('utf8');
  });
  try {
    const digester = new Digester();
    await feed(child, digester.pass(decompressGzip(createReadStream(blob))), ended, path.dirname(staging));
    const status = await ended;
    signal.throwIfAborted();
    if (status !== 0)
      throw new SystemError(`failed to register layer: ${complaint.trim() || 'the unpacking ended'}`);
    const size = Number(/^(\d{1,15})\n$/.exec(answer)?.[1] ?? Number.NaN);
    if (!Number.isSafeInteger(size)) throw new SystemError('the unpacking answered nonsense');
    return { diffId: digester.digest(), size };
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

async function feed(
  child: ChildProcess,
  archive: AsyncIterable<Uint8Array>,
  ended: Promise<unknown>,
  disk: string,
): Promise<void> {
  const { stdin } = child;
  if (!stdin) return;
  stdin.on('error', () => undefined);
  let isOver = false;
  const over = ended.then(() => {
    isOver = true;
  });
  let size = 0;
  let nextCheck = 0;
  for await (const chunk of archive) {
    if (isOver) return;
    size += chunk.length;
    if (size > MAX_ARCHIVE) throw new SystemError('failed to register layer: it is too large');
    if (size > nextCheck) {
      await checkFree(disk);
      nextCheck = size + CHECK_EVERY;
    }
    if (!stdin.write(chunk)) await Promise.race([once(stdin, 'drain').catch(() => undefined), over]);
  }
  stdin.end();
}

/** Throws SystemError when the disk of the shared images is nearly full. */
export async function checkFree(directory: string, needed = 0): Promise<void> {
  const { bavail, bsize } = await fs.statfs(directory);
  if (bavail * bsize - needed < MIN_FREE) {
    throw new SystemError(
      'failed to register layer: no space left for shared images on the host of this Berth',
    );
  }
}

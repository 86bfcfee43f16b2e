// Content-addressed blobs of the shared image store: their paths, and how one is written so that its name is always true.

import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { InvalidParameter } from '../errors.ts';
import { imagesDir } from './layer.ts';

/** Where the blob with this digest lies, or would lie. */
export function blobPath(dataDir: string, digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex === undefined) throw new InvalidParameter(`${digest} is not a sha256 digest`);
  return path.join(imagesDir(dataDir), 'blobs', 'sha256', hex);
}

/** The sha256 digest of some bytes, in the form `sha256:<hex>`. */
export function digestOf(data: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

/** Stores bytes and gives their digest. Doing it twice is harmless. */
export async function writeBlob(
  dataDir: string,
  data: string | Uint8Array,
): Promise<{ digest: string; size: number }> {
  const digest = digestOf(data);
  await replaceFile(blobPath(dataDir, digest), (temporary) => fs.writeFile(temporary, data));
  return { digest, size: Buffer.byteLength(data) };
}

/** A layer archive as it was stored: `digest` and `size` of the gzip blob, `diffId` of the archive itself. */
export interface StoredLayer {
  digest: string;
  diffId: string;
  size: number;
}

/** Compresses and stores a layer archive while it streams by, and gives both of its digests. */
export async function writeLayerBlob(
  dataDir: string,
  archive: Readable,
  level: number,
): Promise<StoredLayer> {
  const plain = new HashingPassThrough();
  const compressed = new HashingPassThrough();
  const directory = path.join(imagesDir(dataDir), 'blobs', 'sha256');
  await fs.mkdir(directory, { recursive: true });
  const temporary = path.join(directory, `.tmp-${randomBytes(6).toString('hex')}`);
  try {
    await pipeline(
      archive,
      plain,
      createGzip({ level }),
      compressed,
      createWriteStream(temporary, { mode: 0o644 }),
    );
    await syncFile(temporary);
    const digest = compressed.digest();
    await fs.rename(temporary, blobPath(dataDir, digest));
    return { digest, diffId: plain.digest(), size: compressed.bytes };
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw error;
  }
}

/** Writes a file beside its place and renames it there, so that a crash leaves the old one or the new one. */
async function replaceFile(file: string, write: (temporary: string) => Promise<void>): Promise<void> {
  await fs.mkdir(path.dirname(file), { recursive: true });
  const temporary = path.join(path.dirname(file), `.tmp-${randomBytes(6).toString('hex')}`);
  try {
    await write(temporary);
    await syncFile(temporary);
    await fs.rename(temporary, file);
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw error;
  }
}

async function syncFile(file: string): Promise<void> {
  const handle = await fs.open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Passes bytes on unchanged, and knows their digest and number afterwards. */
class HashingPassThrough extends Transform {
  bytes = 0;
  readonly #hash = createHash('sha256');

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#hash.update(chunk);
    this.bytes += chunk.length;
    this.push(chunk);
    done();
  }

  digest(): string {
    return `sha256:${this.#hash.digest('hex')}`;
  }
}

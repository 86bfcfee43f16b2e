// Bytes that stream by: read in exact portions, counted and digested, decompressed when they are compressed.

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { EngineError, InvalidParameter, messageOf } from '../errors.ts';

export type Bytes = AsyncIterable<Uint8Array>;

/** Output is taken in pieces of this size: fewer of them are quicker. */
const CHUNK = 128 * 1024;

/** Reads a stream of chunks in portions of any size. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: Bytes) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** Up to `size` bytes; fewer only at the end. */
  async read(size: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = size;
    while (missing > 0) {
      const part = await this.#some(missing);
      if (part === undefined) break;
      parts.push(part);
      missing -= part.length;
    }
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }

  /** The next bytes without taking them. */
  async peek(size: number): Promise<Buffer> {
    const bytes = await this.read(size);
    this.#rest = Buffer.concat([bytes, this.#rest]);
    return bytes;
  }

  /** Exactly `size` bytes, chunk by chunk; throws InvalidParameter when there are fewer. */
  async *portion(size: number): AsyncGenerator<Buffer> {
    for (let missing = size; missing > 0; ) {
      const part = await this.#some(missing);
      if (part === undefined) throw new InvalidParameter('unexpected EOF');
      missing -= part.length;
      yield part;
    }
  }

  /** All that is left. */
  async *all(): AsyncGenerator<Buffer> {
    for (;;) {
      const part = await this.#some(Number.MAX_SAFE_INTEGER);
      if (part === undefined) return;
      yield part;
    }
  }

  async #some(most: number): Promise<Buffer | undefined> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done) return undefined;
      this.#rest = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    }
    const part = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(part.length);
    return part;
  }
}

/** Passes bytes on; afterwards it knows their digest and number. */
export class Digester {
  size = 0;
  readonly #hash = createHash('sha256');

  async *pass(source: Bytes): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#hash.update(chunk);
      this.size += chunk.length;
      yield chunk;
    }
  }

  /** once, at the end */
  digest(): string {
    return `sha256:${this.#hash.digest('hex')}`;
  }
}

export type Compression = 'gzip' | 'bzip2' | 'xz' | 'zstd';

const MAGIC: readonly [name: Compression, bytes: readonly number[]][] = [
  ['gzip', [0x1f, 0x8b]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

/** How something that begins so is compressed; undefined when it is not. Six bytes are enough. */
export function compressionOf(start: Uint8Array): Compression | undefined {
  return MAGIC.find(([, magic]) => magic.every((byte, index) => start[index] === byte))?.[0];
}

/** Decompresses gzip, and passes on what is not compressed. Throws InvalidParameter for other compressions. */
export async function* decompressGzip(source: Bytes): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(source);
  const compression = compressionOf(await reader.peek(6));
  if (compression === undefined) yield* reader.all();
  else if (compression === 'gzip') yield* gunzip(reader.all());
  else throw new InvalidParameter(`${compression} is not supported here`);
}

/** Throws InvalidParameter for what is no gzip. */
export async function* gunzip(source: Bytes): AsyncGenerator<Uint8Array> {
  const input = Readable.from(source);
  const output = createGunzip({ chunkSize: CHUNK });
  input.once('error', (error) => output.destroy(error));
  input.pipe(output);
  try {
    for await (const chunk of output) yield chunk;
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new InvalidParameter(`gzip: ${messageOf(error)}`, { cause: error });
  } finally {
    input.destroy();
    output.destroy();
  }
}

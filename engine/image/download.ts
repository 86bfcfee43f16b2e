// A blob of a registry on its way: taken up again where it was cut, and nothing of it counts before its digest is right.

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError, messageOf, SystemError } from '../errors.ts';
import type { BlobDescriptor, Repository } from '../registry/client.ts';
import { RegistryError } from '../registry/errors.ts';
import { Unreachable } from '../registry/network.ts';
import type { ItemProgress } from './progress.ts';

const MAX_ATTEMPTS = 5;
const FIRST_PAUSE = 500;
/** An attempt that brought less than this does not give courage for more. */
const WORTH_ANOTHER = 256 * 1024;

/** The bytes of one blob. */
export class BlobDownload {
  /** the digest was computed over all of it, and is right */
  isVerified = false;
  readonly #repository: Repository;
  readonly #blob: BlobDescriptor;
  readonly #signal: AbortSignal;
  readonly #progress: ItemProgress | undefined;

  constructor(repository: Repository, blob: BlobDescriptor, signal: AbortSignal, progress?: ItemProgress) {
    this.#repository = repository;
    this.#blob = blob;
    this.#signal = signal;
    this.#progress = progress;
  }

  /** The bytes as they come; throws at the end when they are not what the digest says. */
  async *bytes(): AsyncGenerator<Uint8Array> {
    const { digest, size } = this.#blob;
    const hash = createHash('sha256');
    let offset = 0;
    let failures = 0;
    while (offset < size) {
      const before = offset;
      let failure: unknown = new Unreachable('unexpected EOF');
      try {
        for await (const chunk of this.#repository.blob(digest, offset, this.#signal)) {
          offset += chunk.length;
          if (offset > size) throw new SystemError(`the blob ${digest} is longer than its manifest says`);
          hash.update(chunk);
          this.#progress?.bytes('Downloading', offset, size);
          yield chunk;
        }
      } catch (error) {
        if (isFinal(error)) throw error;
        failure = error;
      }
      this.#signal.throwIfAborted();
      if (offset >= size) break;
      failures = offset - before >= WORTH_ANOTHER ? 1 : failures + 1;
      if (failures > MAX_ATTEMPTS) throw new Unreachable(messageOf(failure), { cause: failure });
      await sleep(FIRST_PAUSE * 2 ** (failures - 1), undefined, { signal: this.#signal });
    }
    this.#progress?.step('Verifying Checksum');
    if (`sha256:${hash.digest('hex')}` !== digest) {
      throw new SystemError(`filesystem layer verification failed for digest ${digest}`);
    }
    this.isVerified = true;
    this.#progress?.step('Download complete');
  }

  /** All of it, when it is small. */
  async whole(limit: number): Promise<Buffer> {
    if (this.#blob.size > limit) throw new SystemError(`the blob ${this.#blob.digest} is too large`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.bytes()) chunks.push(chunk);
    return Buffer.concat(chunks);
  }
}

/** Trying again would change nothing. */
function isFinal(error: unknown): boolean {
  if (error instanceof RegistryError) return error.httpStatus < 500 && error.httpStatus !== 429;
  return error instanceof EngineError && !(error instanceof Unreachable);
}

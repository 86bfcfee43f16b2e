// RUN --mount=type=cache: directories that outlive builds, and who may use one at the same time.

import { createHash } from 'node:crypto';
import { IN_SANDBOX } from '../../sandbox/sandbox.ts';

/** Below Docker's root; they stay until they are pruned. */
export const CACHE_MOUNTS = `${IN_SANDBOX.dockerRoot}/buildkit-caches`;
const MAX_PRIVATE = 64;

export interface CacheMount {
  directory: string;
  /** nobody else has it now */
  isAlone: boolean;
  release(): void;
}

export class CacheMounts {
  readonly #users = new Map<string, number>();
  readonly #waiting = new Map<string, (() => void)[]>();

  /** The directory of an id, once its sharing allows. */
  async take(id: string, sharing: 'shared' | 'private' | 'locked', signal: AbortSignal): Promise<CacheMount> {
    const name = createHash('sha256').update(id).digest('hex').slice(0, 26);
    if (sharing === 'private') return this.#use(this.#freeName(name));
    while (sharing === 'locked' && this.#users.has(name)) await this.#released(name, signal);
    return this.#use(name);
  }

  #freeName(name: string): string {
    for (let number = 0; number < MAX_PRIVATE; number++) {
      const each = number === 0 ? name : `${name}.${number}`;
      if (!this.#users.has(each)) return each;
    }
    return `${name}.${MAX_PRIVATE}`;
  }

  #use(name: string): CacheMount {
    this.#users.set(name, (this.#users.get(name) ?? 0) + 1);
    let isReleased = false;
    return {
      directory: `${CACHE_MOUNTS}/${name}`,
      isAlone: this.#users.get(name) === 1,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        const left = (this.#users.get(name) ?? 1) - 1;
        if (left > 0) this.#users.set(name, left);
        else this.#users.delete(name);
        for (const wake of this.#waiting.get(name)?.splice(0) ?? []) wake();
      },
    };
  }

  #released(name: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(name) ?? [];
      this.#waiting.set(name, waiting);
      const abort = () => reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      waiting.push(() => {
        signal.removeEventListener('abort', abort);
        resolve();
      });
    });
  }
}

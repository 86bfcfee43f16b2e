// Directories of the sandbox that contexts are received in; those of builds that ended are kept, so that the next one sends changes only.

import { randomBytes } from 'node:crypto';
import type { Bytes } from '../../image/bytes.ts';
import { decompress, layerProcess } from '../../image/layer-tool.ts';
import type { InitApi } from '../../sandbox/init-types.ts';
import { IN_SANDBOX } from '../../sandbox/sandbox.ts';
import type { ContextSnapshot } from '../context.ts';
import type { StoredEntry } from './files.ts';
import { CONTEXT_LIMITS } from './limits.ts';

/** What is below is known to a running engine only. */
const ROOT = `${IN_SANDBOX.dockerRoot}/buildkit/contexts`;

/** Bytes that are collected before they go to the sandbox. */
const BATCH = 128 * 1024;

/** Files that were received once and are not in use, as `docker buildx du` shows them. */
export interface KeptContext {
  id: string;
  name: string;
  /** bytes */
  size: number;
  /** milliseconds since the epoch */
  created: number;
  lastUsed: number;
  uses: number;
}

/** A directory that one build has to itself. */
export class ReceivedContext {
  readonly id = randomBytes(16).toString('hex').slice(0, 25);
  readonly directory = `${ROOT}/${this.id}`;
  readonly created = Date.now();
  lastUsed = this.created;
  uses = 0;
  /** by path, in the order of a walk; what lies in the directory */
  entries: ReadonlyMap<string, StoredEntry> = new Map();
  /** false while files are being received: it is not to be used again */
  isWhole = true;

  constructor(
    readonly key: string,
    readonly name: string,
  ) {}

  get size(): number {
    let sum = 0;
    for (const { size } of this.entries.values()) sum += size;
    return sum;
  }
}

/** Owns the contexts of one sandbox. */
export class ContextStore {
  readonly #init: InitApi;
  readonly #onFault: (error: unknown) => void;
  /** the oldest first */
  #kept: ReceivedContext[] = [];

  constructor(init: InitApi, onFault: (error: unknown) => void) {
    this.#init = init;
    this.#onFault = onFault;
  }

  /** At the engine's start: nobody knows any more what is there. */
  async reconcile(): Promise<void> {
    await this.#init.start([{ kind: 'rmtree', path: ROOT }]);
  }

  /**
   * A directory for a context: the one that a build of the same key left, or an empty one.
   * @param key '' for files that no later build will know
   */
  async take(key: string, name: string): Promise<ReceivedContext> {
    const index = key === '' ? -1 : this.#kept.findLastIndex((each) => each.key === key);
    const [known] = index < 0 ? [] : this.#kept.splice(index, 1);
    if (known) return known;
    const context = new ReceivedContext(key, name);
    await this.#init.start([
      { kind: 'mkdir', path: ROOT, mode: 0o700 },
      { kind: 'mkdir', path: context.directory, mode: 0o755 },
    ]);
    return context;
  }

  /** Brings the directory up to an archive of changes (files.ts). Throws what the sandbox says, a full disk for example. */
  async receive(context: ReceivedContext, archive: Bytes, signal: AbortSignal): Promise<void> {
    const output = layerProcess(this.#init, ['receive', context.directory], {
      input: batches(archive),
      signal,
    });
    // it says nothing when all is well
    for await (const _ of output);
  }

  /** An archive as it was before it was compressed. */
  decompressed(archive: Bytes, signal: AbortSignal): Bytes {
    return decompress(this.#init, archive, signal);
  }

  /** A small file of it. */
  async read(context: ReceivedContext, path: string, limit: number): Promise<Buffer> {
    const { body } = await this.#init.readFile(`${context.directory}/${path}`, { limit });
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** The context as a build sees it, until it is released. */
  snapshot(context: ReceivedContext): ContextSnapshot {
    let isReleased = false;
    return {
      directory: context.directory,
      entries: [...context.entries.values()],
      release: async () => {
        if (isReleased) return;
        isReleased = true;
        await this.giveBack(context);
      },
    };
  }

  /** Ends a build's use. */
  async giveBack(context: ReceivedContext): Promise<void> {
    const removed: ReceivedContext[] = [];
    if (context.isWhole && context.key !== '' && context.entries.size <= CONTEXT_LIMITS.keptEntries) {
      context.lastUsed = Date.now();
      context.uses += 1;
      // of one key only the latest is of use, unless builds run at the same time
      this.#kept = this.#kept.filter((each) => {
        if (each.key === context.key) removed.push(each);
        return each.key !== context.key;
      });
      this.#kept.push(context);
      removed.push(...this.#shrink());
    } else {
      removed.push(context);
    }
    await this.#remove(removed);
  }

  #shrink(): ReceivedContext[] {
    const removed: ReceivedContext[] = [];
    const count = () => this.#kept.reduce((sum, each) => sum + each.entries.size, 0);
    while (this.#kept.length > CONTEXT_LIMITS.kept || count() > CONTEXT_LIMITS.keptEntries) {
      const oldest = this.#kept.shift();
      if (oldest) removed.push(oldest);
    }
    return removed;
  }

  async #remove(contexts: readonly ReceivedContext[]): Promise<void> {
    if (contexts.length === 0) return;
    try {
      await this.#init.start(contexts.map(({ directory }) => ({ kind: 'rmtree', path: directory })));
    } catch (error) {
      // they go at the engine's next start
      this.#onFault(error);
    }
  }

  /** What is kept for later builds. */
  usage(): KeptContext[] {
    return this.#kept.map(({ id, name, size, created, lastUsed, uses }) => {
      return { id, name, size, created, lastUsed, uses };
    });
  }

  /** Removes kept files that were not used for so many milliseconds. */
  async prune(unusedForMs: number): Promise<KeptContext[]> {
    const limit = Date.now() - unusedForMs;
    const removed = this.#kept.filter((each) => each.lastUsed <= limit);
    this.#kept = this.#kept.filter((each) => each.lastUsed > limit);
    const described = removed.map(({ id, name, size, created, lastUsed, uses }) => {
      return { id, name, size, created, lastUsed, uses };
    });
    await this.#remove(removed);
    return described;
  }
}

/** Fewer and larger writes. */
async function* batches(source: Bytes): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of source) {
    parts.push(part);
    size += part.length;
    if (size < BATCH) continue;
    yield Buffer.concat(parts);
    parts = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(parts);
}

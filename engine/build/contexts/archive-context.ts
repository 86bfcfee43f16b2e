// The context of one build that came as an archive: unpacked once, when the build first asks for something of it.

import { InvalidParameter } from '../../errors.ts';
import type { Bytes } from '../../image/bytes.ts';
import type { ContextRequest, ContextSnapshot } from '../context.ts';
import { resolveLinks } from '../session/sync.ts';
import { receiveArchive } from './archive.ts';
import type { ContextStore, ReceivedContext } from './store.ts';

export class ArchiveContext {
  readonly #store: ContextStore;
  readonly #name: string;
  readonly #bytes: Bytes;
  readonly #signal: AbortSignal;
  #received: Promise<ReceivedContext> | undefined;
  #count = 0;

  /** @param bytes the archive, read once */
  constructor(store: ContextStore, name: string, bytes: Bytes, signal: AbortSignal) {
    this.#store = store;
    this.#name = name;
    this.#bytes = bytes;
    this.#signal = signal;
  }

  #receive(): Promise<ReceivedContext> {
    this.#received ??= this.#unpack();
    return this.#received;
  }

  async #unpack(): Promise<ReceivedContext> {
    const context = await this.#store.take('', this.#name);
    try {
      await receiveArchive(this.#store, context, this.#counted(), this.#signal);
      return context;
    } catch (error) {
      await this.#store.giveBack(context);
      throw error;
    }
  }

  async *#counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#bytes) {
      this.#count += chunk.length;
      yield chunk;
    }
  }

  /** Bytes that came so far. */
  get received(): number {
    return this.#count;
  }

  /** The files, for as long as the build lasts. */
  async snapshot({ onProgress }: Pick<ContextRequest, 'onProgress'>): Promise<ContextSnapshot> {
    const started = BigInt(Date.now()) * 1_000_000n;
    const { directory, entries } = await this.#receive();
    const completed = BigInt(Date.now()) * 1_000_000n;
    onProgress({ id: `transferring ${this.#name}:`, current: this.#count, total: 0, started, completed });
    return { directory, entries: [...entries.values()], release: async () => undefined };
  }

  async readFile(path: string, limit: number): Promise<Buffer | undefined> {
    const context = await this.#receive();
    const entry = context.entries.get(resolveLinks(context.entries, path) ?? '');
    if (entry?.type !== 'file') return undefined;
    if (entry.size > limit) throw new InvalidParameter(`${path} is larger than ${limit} bytes`);
    return this.#store.read(context, entry.path, limit);
  }

  async dispose(): Promise<void> {
    const context = await this.#received?.catch(() => undefined);
    if (context) await this.#store.giveBack(context);
  }
}

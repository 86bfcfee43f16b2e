// When shared layers that nobody needs are removed: at the engine's start, and a while after something was let go.

import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Catalogue } from './catalogue.ts';
import { sharedNeeds } from './shared-needs.ts';
import type { SharedStore } from './shared-store.ts';

/** So that many removals make one collection, in milliseconds. */
const DELAY = 2000;

export interface CollectorParts {
  catalogue: Catalogue;
  /** BERTH_DATA/sandboxes */
  sandboxesDir: string;
  /** runs work while set-up changes nothing in the store */
  lock(work: () => Promise<void>): Promise<void>;
}

export class SharedCollector {
  readonly #store: SharedStore;
  readonly #parts: CollectorParts;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #isDisposed = false;

  constructor(store: SharedStore, parts: CollectorParts, log: Logger) {
    this.#store = store;
    this.#parts = parts;
    this.#log = log;
    store.onUnused(() => this.schedule());
  }

  /** Soon there will be a collection. */
  schedule(): void {
    if (this.#timer || this.#isDisposed || !this.#store.isWritable) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#running.then(() => this.#collect());
    }, DELAY);
    this.#timer.unref();
  }

  async #collect(): Promise<void> {
    const { catalogue, sandboxesDir, lock } = this.#parts;
    try {
      await lock(async () => {
        const removed = await this.#store.collect(() =>
          sharedNeeds(this.#store.dataDir, catalogue, sandboxesDir),
        );
        if (removed > 0) this.#log.info({ layers: removed }, 'removed shared layers that nobody needs');
      });
    } catch (error) {
      this.#log.warn(`shared layers are kept, needed or not: ${messageOf(error)}`);
    }
  }

  /** Waits for what is under way. */
  async dispose(): Promise<void> {
    this.#isDisposed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }
}

// Layers are mounted by many at a time, and moved by one while nobody mounts.

/** Shared and exclusive passage; who waits for exclusiveness goes before who comes later. */
export class Gate {
  #shared = 0;
  #last: Promise<unknown> = Promise.resolve();
  #idle: (() => void) | undefined;

  /** Runs with others of its kind. */
  async shared<T>(task: () => Promise<T>): Promise<T> {
    await this.#last;
    this.#shared += 1;
    try {
      return await task();
    } finally {
      this.#shared -= 1;
      if (this.#shared === 0) this.#idle?.();
    }
  }

  /** Runs alone. */
  exclusive<T>(task: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(async () => {
      if (this.#shared > 0) {
        await new Promise<void>((resolve) => {
          this.#idle = resolve;
        });
        this.#idle = undefined;
      }
      return task();
    });
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}

// A container that exists: its record, the lock for changes to it, and those who wait for its end.

import { Mutex } from '../sandbox/mutex.ts';
import type { ContainerRecord } from './record.ts';

/** How a wait ends. */
export interface Ending {
  exitCode: number;
  error?: string;
}

/** `exited`: each end of its process; `stopped`: an end after which it stays ended; `removed`: it is gone. */
export type Moment = 'exited' | 'stopped' | 'removed';

export class Container {
  /** held while its state changes: start, exit, remove, pause, rename */
  readonly lock = new Mutex();
  /** aborted when the daemon closes: ends what holds the lock for as long as a client likes */
  readonly closing = new AbortController();
  /** its process is known to berth-init already, so that clients can attach before the start */
  isReserved = false;
  /** `docker restart` is under way: the exit does not remove it */
  isRestarting = false;
  /** ids of its exec instances */
  readonly execs = new Set<string>();
  /** the pending restart by policy */
  restartTimer: NodeJS.Timeout | undefined;
  /** delay before the next restart by policy */
  restartDelay = 0;
  private readonly waiters: Record<Moment, Set<(ending: Ending) => void>> = {
    exited: new Set(),
    stopped: new Set(),
    removed: new Set(),
  };

  constructor(public record: ContainerRecord) {}

  get id(): string {
    return this.record.id;
  }

  /** berth-init's name for its main process */
  get key(): string {
    return `container.${this.record.id}`;
  }

  /** What its events say of it. */
  get attributes(): Record<string, string> {
    return { ...this.record.config.Labels, image: this.record.config.Image, name: this.record.name };
  }

  /** Resolves when the moment comes; rejects when the signal aborts first. */
  next(moment: Moment, signal?: AbortSignal): Promise<Ending> {
    return new Promise((resolve, reject) => {
      const waiters = this.waiters[moment];
      const abort = () => {
        waiters.delete(done);
        reject(signal?.reason);
      };
      const done = (ending: Ending) => {
        signal?.removeEventListener('abort', abort);
        resolve(ending);
      };
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      waiters.add(done);
    });
  }

  /** Tells those who wait. */
  announce(moments: readonly Moment[], ending: Ending): void {
    for (const moment of moments) {
      const waiters = [...this.waiters[moment]];
      this.waiters[moment].clear();
      for (const done of waiters) done(ending);
    }
  }
}

// Hands one stream of activity to several readers, also across interruptions of the source.

import { EventEmitter, on } from 'node:events';
import type { Activity } from '../../engine/client/types.ts';

/** Activity of one lab host. */
export class ActivityFeed {
  readonly #emitter = new EventEmitter();

  push(activity: Activity): void {
    this.#emitter.emit('activity', activity);
  }

  /** What happens from now on, until the signal aborts. */
  async *read(signal: AbortSignal): AsyncGenerator<Activity, void> {
    try {
      for await (const [activity] of on(this.#emitter, 'activity', { signal })) yield activity;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

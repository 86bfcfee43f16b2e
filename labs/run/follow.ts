// Follows a lab host's activity for as long as a run lives, through restarts of the engine.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Activity } from '../../engine/client/types.ts';
import type { LabHost } from '../host.ts';

const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 5000;

/**
 * Calls `onActivity` for everything that happens, and `onGap` when things may have been missed: after each reconnection.
 * Returns when `signal` is aborted.
 */
export async function followActivity(
  host: LabHost,
  signal: AbortSignal,
  listener: { onActivity(activity: Activity): void; onGap(): void },
): Promise<void> {
  let pause = FIRST_PAUSE;
  while (!signal.aborted) {
    try {
      for await (const activity of host.activity(signal)) {
        pause = FIRST_PAUSE;
        listener.onActivity(activity);
      }
    } catch {
      // the engine is away; the checks' own states say so
    }
    await sleep(pause, undefined, { signal, ref: false }).catch(() => undefined);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
    if (!signal.aborted) listener.onGap();
  }
}

// After a start of the engine: exec instances live in memory only, so what berth-init knows of older ones is let go.

import type { ExecParts } from './parts.ts';

/** Forgets those that have ended. One that runs goes on to its end, as after a restart of dockerd with live restore. */
export async function reconcileExecs(parts: ExecParts): Promise<void> {
  const { init } = parts.sandbox;
  for (const process of init.processes()) {
    if (process.key.startsWith('exec.') && process.state === 'ended') await init.forget(process.key);
  }
}

// After a start of the engine: volumes that were half made or half removed are set right.

import type { VolumeParts } from './parts.ts';
import { removeLocked } from './remove.ts';

/** Before containers are looked at, whose records say which volumes are wanted. */
export async function reconcileVolumes(parts: VolumeParts): Promise<void> {
  for (const volume of parts.volumes.all()) {
    if (volume.state === 'ready') continue;
    try {
      await parts.volumes.exclusively([volume.name], async () => {
        // Its container was recorded, so the volume was complete.
        const isWanted = parts.volumes.users(volume.name).length > 0;
        if (isWanted) await parts.volumes.write({ ...volume, state: 'ready' });
        else await removeLocked(parts, volume);
      });
    } catch (error) {
      parts.log.error({ err: error, volume: volume.name }, 'a volume could not be reconciled');
    }
  }
}

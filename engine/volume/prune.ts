// docker volume prune: volumes that no container mounts, anonymous ones unless all are asked for.

import { EngineError } from '../errors.ts';
import type { Filters } from '../events/filters.ts';
import type { VolumeParts } from './parts.ts';
import { ANONYMOUS_LABEL } from './record.ts';
import { removeVolume } from './remove.ts';
import { measureVolumes } from './usage.ts';

export const PRUNE_VOLUME_FILTERS = ['all', 'label', 'label!'];

export async function pruneVolumes(
  parts: VolumeParts,
  filters: Filters,
  /** also named ones; the filter `all` overrides it */
  allByDefault: boolean,
): Promise<{ VolumesDeleted: string[] | null; SpaceReclaimed: number }> {
  const all = filters.boolean('all') ?? allByDefault;
  const names = parts.volumes
    .list()
    .filter((volume) => all || volume.labels?.[ANONYMOUS_LABEL] !== undefined)
    .filter((volume) => filters.labels((label) => volume.labels?.[label]))
    .map((volume) => volume.name)
    .filter((name) => parts.volumes.users(name).length === 0);
  const sizes = await measureVolumes(parts, names);
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const [index, name] of names.entries()) {
    try {
      await removeVolume(parts, name);
      deleted.push(name);
      reclaimed += sizes[index] ?? 0;
    } catch (error) {
      // Mounted or removed by someone meanwhile: not ours to remove.
      if (!(error instanceof EngineError)) throw error;
      parts.log.info({ err: error, volume: name }, 'prune left a volume');
    }
  }
  parts.events.publish('volume', 'prune', '', { reclaimed: String(reclaimed) });
  return { VolumesDeleted: deleted.length > 0 ? deleted : null, SpaceReclaimed: reclaimed };
}

// docker container prune: every container that does not run, by filters.

import { EngineError } from '../errors.ts';
import { parseRfc3339 } from '../events/clock.ts';
import type { Filters } from '../events/filters.ts';
import { parseUntil } from '../events/until.ts';
import type { ContainerParts } from './parts.ts';
import { isRunning } from './record.ts';
import { removeContainer } from './remove.ts';
import { measureLayer } from './size.ts';

export const PRUNE_FILTERS = ['label', 'label!', 'until'];

export async function pruneContainers(
  parts: ContainerParts,
  filters: Filters,
): Promise<{ ContainersDeleted: string[] | null; SpaceReclaimed: number }> {
  const until = parseUntil(filters);
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const container of parts.containers.list()) {
    const { record } = container;
    const labels = record.config.Labels;
    if (isRunning(record) || record.state.status === 'restarting') continue;
    if (!filters.labels((name) => labels[name])) continue;
    if (until !== undefined && parseRfc3339(record.created) > until) continue;
    try {
      const size = await measureLayer(parts, record);
      await removeContainer(parts, container, { force: false, volumes: false });
      reclaimed += size;
      deleted.push(record.id);
    } catch (error) {
      // Started or removed by someone meanwhile: not ours to remove.
      if (!(error instanceof EngineError)) throw error;
      parts.log.info({ err: error, container: record.id }, 'prune left a container');
    }
  }
  parts.events.publish('container', 'prune', '', { reclaimed: String(reclaimed) });
  return { ContainersDeleted: deleted.length > 0 ? deleted : null, SpaceReclaimed: reclaimed };
}

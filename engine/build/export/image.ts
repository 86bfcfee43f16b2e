// The end of a build: its layers and its configuration become an image of the sandbox.

import { formatNanos, nowNanos } from '../../events/clock.ts';
import type { LayerHold } from '../../image/layers.ts';
import { familiarReference, parseReference } from '../../image/reference.ts';
import type { BuildRequest } from '../build.ts';
import type { ExecuteParts } from '../execute/executor.ts';
import type { Snapshot } from '../execute/snapshot.ts';
import type { BuildPlan, PlannedHistory } from '../graph.ts';
import { freezeLayer } from './freeze.ts';

/** Runs a part of the export, and shows it. */
export type ExportProgress = <T>(id: string, task: () => Promise<T>) => Promise<T>;

/** Makes the image and gives its id. Its layers are held by `hold`, which the caller releases. */
export async function exportImage(
  parts: ExecuteParts,
  plan: BuildPlan,
  snapshot: Snapshot,
  { request, hold, progress }: { request: BuildRequest; hold: LayerHold; progress: ExportProgress },
): Promise<string> {
  const diffIds = await progress('exporting layers', () =>
    Promise.all(snapshot.layers.map((layer) => freezeLayer(parts, layer, hold, request.sourceDateEpoch))),
  );
  const config = imageConfig(plan, snapshot, diffIds, request.sourceDateEpoch);
  const id = await parts.images.addImage(JSON.stringify(config));
  await progress(`writing image ${id}`, async () => undefined);
  return id;
}

/** Gives the image its names, as `docker tag` would. */
export async function nameImage(
  { images, events }: ExecuteParts,
  id: string,
  references: readonly string[],
  progress: ExportProgress,
): Promise<void> {
  for (const reference of references) {
    await progress(`naming to ${reference.replace(/:latest$/, '')}`, () =>
      images.addReferences(id, [reference]),
    );
    events.publish('image', 'tag', id, { name: familiarReference(parseReference(reference)) });
  }
}

function imageConfig(
  { image, history }: BuildPlan,
  snapshot: Snapshot,
  diffIds: readonly string[],
  sourceDateEpoch: number | undefined,
): object {
  const epoch =
    sourceDateEpoch === undefined
      ? undefined
      : new Date(sourceDateEpoch * 1000).toISOString().replace('.000Z', 'Z');
  const dated = datedHistory(history, snapshot, epoch);
  const created = epoch ?? dated.at(-1)?.created ?? formatNanos(nowNanos());
  return { ...image, created, history: dated, rootfs: { type: 'layers', diff_ids: diffIds } };
}

/**
 * Every entry with a time: a layer's is when its step was done, so that a build from the cache makes the same image
 * again; what made no layer has that of the layer before it, or of the first one that is new (BuildKit's exporter).
 */
function datedHistory(history: readonly PlannedHistory[], { layers }: Snapshot, epoch: string | undefined) {
  let at = 0;
  const times = history.map((entry) => {
    const layer = entry.isEmptyLayer ? undefined : layers[at++];
    return entry.created ?? layer?.created ?? epoch;
  });
  const firstMissing = times.indexOf(undefined);
  const before = times.slice(0, Math.max(firstMissing, 0)).findLast((time) => time !== undefined);
  const after = times.slice(Math.max(firstMissing, 0)).find((time) => time !== undefined);
  let current = after ?? before ?? formatNanos(nowNanos());
  let hasMissed = false;
  return history.map((entry, index) => {
    const own = times[index];
    if (own !== undefined && hasMissed) current = own;
    if (own === undefined) hasMissed = true;
    return {
      created: own ?? current,
      created_by: entry.createdBy,
      ...(entry.author === undefined ? {} : { author: entry.author }),
      ...(entry.comment === '' ? {} : { comment: entry.comment }),
      ...(entry.isEmptyLayer ? { empty_layer: true } : {}),
    };
  });
}

// An image's configuration as BuildKit writes it: the plan's, with the layers that there are and the times at which they were made.

import { OciContainerConfig, type OciImageConfig } from '../../image/oci-image.ts';
import type { BuildPlan, PlannedHistory } from '../graph.ts';

/** The diff id of an archive without entries: Docker leaves such a layer out. */
const EMPTY_LAYER = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';
const EXPORTER_COMMENT = 'buildkit.exporter.image.v0';

/** A layer of the result. */
export interface ExportedLayer {
  diffId: string;
  /** RFC 3339; undefined for layers of the base image */
  created: string | undefined;
}

type History = NonNullable<OciImageConfig['history']>[number];

/**
 * The configuration's text, the same for the same layers and plan: image ids do not change when everything is cached.
 *
 * @param epoch seconds: no time is later (SOURCE_DATE_EPOCH)
 */
export function imageConfig(
  plan: Pick<BuildPlan, 'image' | 'history'>,
  layers: readonly ExportedLayer[],
  epoch: number | undefined,
): { text: string; diffIds: string[] } {
  const latest = epoch === undefined ? undefined : epochTime(epoch);
  const { history, diffIds } = withLayers(plan.history, layers);
  fillTimes(history);
  if (latest !== undefined) {
    for (const entry of history) {
      if (entry.created === undefined || Date.parse(entry.created) > Date.parse(latest)) {
        entry.created = latest;
      }
    }
  }
  const created = latest ?? history.findLast((entry) => entry.created !== undefined)?.created;
  const { created: _, config, ...image } = plan.image;
  const document: Record<string, unknown> = {
    ...image,
    ...(config ? { config: withSortedKeys(OciContainerConfig.parse(config)) } : {}),
    ...(created === undefined ? {} : { created }),
    history,
    rootfs: { type: 'layers', diff_ids: diffIds },
  };
  return { text: JSON.stringify(sorted(document)), diffIds };
}

/** What are maps in Go: clients send labels in any order, and that must not make another image. */
function withSortedKeys(config: OciContainerConfig): OciContainerConfig {
  const { Labels, Volumes, ExposedPorts } = config;
  return {
    ...config,
    ...(Labels ? { Labels: sorted(Labels) } : {}),
    ...(Volumes ? { Volumes: sorted(Volumes) } : {}),
    ...(ExposedPorts ? { ExposedPorts: sorted(ExposedPorts) } : {}),
  };
}

function sorted<T>(map: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** RFC 3339, whole seconds, as Go prints them. */
function epochTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

/** Gives each entry that made a layer its layer's time; layers that nobody told of get entries of their own. */
function withLayers(
  planned: readonly PlannedHistory[],
  layers: readonly ExportedLayer[],
): { history: History[]; diffIds: string[] } {
  const history = planned.map(describe);
  let excess = history.filter(({ empty_layer: isEmpty }) => !isEmpty).length - layers.length;
  for (const entry of history) {
    if (excess <= 0) break;
    if (entry.empty_layer) continue;
    entry.empty_layer = true;
    excess -= 1;
  }
  for (; excess < 0; excess++) {
    history.push({ comment: EXPORTER_COMMENT });
  }
  const diffIds: string[] = [];
  let index = 0;
  for (const entry of history) {
    if (entry.empty_layer) continue;
    const layer = layers[index++];
    if (layer === undefined) break;
    if (entry.created === undefined && layer.created !== undefined) entry.created = layer.created;
    if (layer.diffId === EMPTY_LAYER) entry.empty_layer = true;
    else diffIds.push(layer.diffId);
  }
  return { history, diffIds };
}

function describe({ created, createdBy, author, comment, isEmptyLayer }: PlannedHistory): History {
  return {
    ...(created === undefined ? {} : { created }),
    ...(createdBy === '' ? {} : { created_by: createdBy }),
    ...(author === undefined || author === '' ? {} : { author }),
    ...(comment === '' ? {} : { comment }),
    ...(isEmptyLayer ? { empty_layer: true } : {}),
  };
}

/**
 * Entries without a time (ENV, CMD and the like) get that of the layer before them, and those before the first new
 * layer its time; where there is none, that of the last entry that has one.
 */
function fillTimes(history: History[]): void {
  let time: string | undefined;
  let isMissing = false;
  for (const { created } of history) {
    if (created === undefined) {
      isMissing = true;
      continue;
    }
    time = created;
    if (isMissing) break;
  }
  isMissing = false;
  for (const entry of history) {
    if (entry.created === undefined) {
      isMissing = true;
      if (time !== undefined) entry.created = time;
    } else if (isMissing) {
      time = entry.created;
    }
  }
}

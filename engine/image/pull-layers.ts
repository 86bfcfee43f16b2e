// The layers of an image that is pulled: public ones go to the shared store, others to the sandbox's own disk.

import type { ContainerParts } from '../container/parts.ts';
import { SystemError } from '../errors.ts';
import type { Repository } from '../registry/client.ts';
import type { OpenedRepository } from '../registry/registries.ts';
import type { InitApi } from '../sandbox/init-types.ts';
import { BlobDownload } from './download.ts';
import { inOrder } from './in-order.ts';
import { decompress, discardLayer, type StagedLayer, unpackLayer } from './layer-tool.ts';
import type { LayerHold } from './layers.ts';
import { ItemProgress, type Report, shortDigest } from './progress.ts';
import type { SharedLayer, SharedStore, WantedLayer } from './shared-store.ts';

const PARALLEL_LAYERS = 3;

interface WantedWithType extends WantedLayer {
  blob: WantedLayer['blob'] & { mediaType: string };
}

interface LayerPull extends WantedWithType {
  progress: ItemProgress;
}

/** Where a layer was put until its turn comes. */
type Fetched = { staged: StagedLayer } | { shared: SharedLayer };

/** Fetches what is missing, at most three at a time. Gives what was fetched. */
export async function pullLayers(
  parts: ContainerParts,
  store: SharedStore,
  { repository, isPublic }: OpenedRepository,
  layers: readonly WantedWithType[],
  hold: LayerHold,
  report: Report,
  signal: AbortSignal,
): Promise<readonly WantedWithType[]> {
  const { images } = parts;
  const { init } = parts.sandbox;
  // a layer may be in an image twice
  const wanted = new Map(
    layers.map((layer): [string, LayerPull] => [
      layer.diffId,
      { ...layer, progress: new ItemProgress(shortDigest(layer.blob.digest), report) },
    ]),
  );
  const isThere = new Set([...wanted.keys()].filter((diffId) => images.layer(diffId)));
  for (const { diffId, progress } of wanted.values()) {
    progress.step(isThere.has(diffId) ? 'Already exists' : 'Pulling fs layer');
  }
  const missing = [...wanted.values()].filter(({ diffId }) => !isThere.has(diffId));
  for (const { progress } of missing.slice(PARALLEL_LAYERS)) progress.step('Waiting');
  const held = store.hold();
  held.keep(missing.map(({ diffId }) => diffId));
  try {
    return await inOrder<LayerPull, Fetched>(missing, PARALLEL_LAYERS, signal, {
      fetch: async (layer, stop) => {
        if (isPublic && store.isWritable && isShareable(layer.blob.mediaType)) {
          return { shared: await store.fetch(layer, repository, layer.progress.relay(), stop) };
        }
        return { staged: await fetchPrivate(init, repository, layer, stop) };
      },
      finish: async (fetched, { blob, progress }) => {
        progress.bytes('Extracting', blob.size, blob.size);
        if ('shared' in fetched) await images.addShared([fetched.shared]);
        else await hold.adopt(fetched.staged);
        progress.step('Pull complete');
      },
      undo: async (fetched) => {
        if ('staged' in fetched) await discardLayer(init, fetched.staged);
      },
    });
  } finally {
    held.release();
    store.noteUnused();
  }
}

/** The shared store takes what the engine decompresses by itself. */
function isShareable(mediaType: string): boolean {
  return /(?:tar|gzip)$/.test(mediaType);
}

async function fetchPrivate(
  init: InitApi,
  repository: Repository,
  { blob, diffId, progress }: LayerPull,
  stop: AbortSignal,
): Promise<StagedLayer> {
  const download = new BlobDownload(repository, blob, stop, progress);
  const layer = await unpackLayer(init, decompress(init, download.bytes(), stop), stop);
  try {
    if (!download.isVerified) throw new SystemError(`the layer ${blob.digest} has something after its end`);
    if (layer.diffId !== diffId) {
      throw new SystemError(
        `layer ${blob.digest} is not what the image configuration says: expected ${diffId}`,
      );
    }
  } catch (error) {
    await discardLayer(init, layer);
    throw error;
  }
  return layer;
}

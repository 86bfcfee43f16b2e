// docker pull from a registry: manifest, configuration, layers (three at a time), each checked, and only then the reference.

import type { ContainerParts } from '../container/parts.ts';
import { NotFound, SystemError } from '../errors.ts';
import type { Credentials } from '../registry/credentials.ts';
import { RegistryError } from '../registry/errors.ts';
import type { OpenedRepository, Registries } from '../registry/registries.ts';
import { decompress } from './bytes.ts';
import { MAX_CONFIG, parseImageConfig } from './config-store.ts';
import { BlobDownload } from './download.ts';
import { discardLayer, type StagedLayer, unpackLayer } from './layer-tool.ts';
import type { LayerHold } from './layers.ts';
import { fetchManifest, matchesPlatform, type Platform, showPlatform } from './manifest.ts';
import type { OciManifest } from './oci-image.ts';
import { ItemProgress, type Report, shortDigest } from './progress.ts';
import {
  familiarName,
  familiarReference,
  fullReference,
  type Reference,
  repositoryName,
} from './reference.ts';

const PARALLEL_LAYERS = 3;

export interface RegistryPull {
  credentials: Credentials;
  report: Report;
  signal: AbortSignal;
}

interface Sources {
  registries: Registries;
}

/** Docker Hub does not tell a private repository from none. */
export function accessDenied(reference: Reference): NotFound {
  return new NotFound(
    `pull access denied for ${familiarName(reference)}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
  );
}

/** Pulls one tag or digest. Throws NotFound in Docker's words, and Unreachable. */
export async function pullFromRegistry(
  parts: ContainerParts,
  { registries }: Sources,
  reference: Reference,
  platform: Platform,
  pull: RegistryPull,
): Promise<void> {
  const opened = await registries.open(parts.sandbox.init, reference, pull);
  const { isNew } = await pullReference(parts, opened, reference, platform, pull);
  const news = isNew ? 'Downloaded newer image' : 'Image is up to date';
  pull.report({ status: `Status: ${news} for ${familiarReference(reference)}` });
}

/** Pulls every tag of a repository. */
export async function pullAllFromRegistry(
  parts: ContainerParts,
  { registries }: Sources,
  base: Reference,
  platform: Platform,
  pull: RegistryPull,
): Promise<void> {
  const opened = await registries.open(parts.sandbox.init, base, pull);
  const tags = await opened.repository.tags(pull.signal).catch((error: unknown) => {
    throw isDenied(error) ? accessDenied(base) : error;
  });
  let isAnyNew = false;
  for (const tag of tags) {
    const { isNew } = await pullReference(parts, opened, { ...base, tag }, platform, pull);
    isAnyNew ||= isNew;
  }
  const news = isAnyNew ? 'Downloaded newer image' : 'Image is up to date';
  pull.report({ status: `Status: ${news} for ${familiarName(base)}` });
}

async function pullReference(
  parts: ContainerParts,
  opened: OpenedRepository,
  reference: Reference,
  platform: Platform,
  pull: RegistryPull,
): Promise<{ isNew: boolean }> {
  const { images, events } = parts;
  const wanted = reference.digest ?? reference.tag ?? 'latest';
  const { digest, manifest, isChosen } = await fetchManifest(
    opened.repository,
    wanted,
    platform,
    pull.signal,
  ).catch((error: unknown) => {
    throw inDockersWords(error, reference);
  });
  pull.report({ status: `Pulling from ${reference.path}`, id: wanted });
  const id = manifest.config.digest;
  const names = [
    fullReference(reference),
    fullReference({ domain: reference.domain, path: reference.path, digest }),
  ];
  const isNew = images.byReference(reference)?.id !== id;
  const hold = parts.layers.hold();
  try {
    if (!images.byId(id)) await pullContent(parts, opened, reference, manifest, hold, pull);
    await images.addReferences(id, names);
  } finally {
    hold.release();
    await parts.layers.collect();
  }
  const config = images.byId(id)?.config;
  pull.report({ status: `Digest: ${digest}` });
  events.publish('image', 'pull', familiarReference(reference), {
    ...config?.config?.Labels,
    name: familiarName(reference),
  });
  if (config && !isChosen && !matchesPlatform(platform, config)) {
    throw new SystemError(
      `image with reference ${familiarReference(reference)} was found but does not match the specified platform: wanted ${showPlatform(platform)}, actual: ${showPlatform(config)}`,
    );
  }
  return { isNew };
}

/** Configuration and layers; the image is recorded when all of it is there and right. */
async function pullContent(
  parts: ContainerParts,
  { repository }: OpenedRepository,
  reference: Reference,
  manifest: OciManifest,
  hold: LayerHold,
  { report, signal }: RegistryPull,
): Promise<void> {
  const { images } = parts;
  const download = new BlobDownload(repository, manifest.config, signal);
  const rawConfig = (await download.whole(MAX_CONFIG)).toString('utf8');
  const diffIds = parseImageConfig(rawConfig).rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length) {
    throw new SystemError('invalid rootfs in image configuration');
  }
  const wanted = new Map(
    manifest.layers.map((blob, index) => {
      const diffId = diffIds[index] ?? '';
      return [diffId, { blob, diffId, progress: new ItemProgress(shortDigest(blob.digest), report) }];
    }),
  );
  await hold.keep(diffIds);
  const isThere = new Set(diffIds.filter((diffId) => images.layer(diffId)));
  for (const { diffId, progress } of wanted.values()) {
    progress.step(isThere.has(diffId) ? 'Already exists' : 'Pulling fs layer');
  }
  const missing = [...wanted.values()].filter(({ diffId }) => !isThere.has(diffId));
  for (const { progress } of missing.slice(PARALLEL_LAYERS)) progress.step('Waiting');
  const layers = await inOrder(missing, PARALLEL_LAYERS, signal, {
    fetch: async ({ blob, diffId, progress }, stop) => {
      const bytes = new BlobDownload(repository, blob, stop, progress);
      const layer = await unpackLayer(parts.sandbox.init, decompress(bytes.bytes()), stop);
      try {
        check(bytes, layer, diffId, blob.digest);
      } catch (error) {
        await discardLayer(parts.sandbox.init, layer);
        throw error;
      }
      return layer;
    },
    finish: async (layer, { blob, progress }) => {
      progress.bytes('Extracting', blob.size, blob.size);
      await hold.adopt(layer);
      progress.step('Pull complete');
    },
    undo: (layer) => discardLayer(parts.sandbox.init, layer),
  });
  await images.addImage(rawConfig);
  const origin = repositoryName(reference);
  await images.addOrigins(
    layers.map(({ diffId, blob }) => ({ diffId, digest: blob.digest, size: blob.size, repository: origin })),
  );
}

function check(bytes: BlobDownload, layer: StagedLayer, diffId: string, digest: string): void {
  if (!bytes.isVerified) throw new SystemError(`the layer ${digest} has something after its end`);
  if (layer.diffId !== diffId) {
    throw new SystemError(`layer ${digest} is not what the image configuration says: expected ${diffId}`);
  }
}

interface Work<Item, Result> {
  fetch(item: Item, stop: AbortSignal): Promise<Result>;
  /** in the order of the items */
  finish(result: Result, item: Item): Promise<void>;
  /** for what was fetched and not finished */
  undo(result: Result): Promise<void>;
}

/** Fetches several at a time and finishes each after the one before it. The first failure stops everything. */
async function inOrder<Item, Result>(
  items: readonly Item[],
  parallel: number,
  signal: AbortSignal,
  work: Work<Item, Result>,
): Promise<readonly Item[]> {
  const stopper = new AbortController();
  const stop = AbortSignal.any([signal, stopper.signal]);
  const finished: Promise<void>[] = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++) {
      const item = items[index];
      if (item === undefined || stop.aborted) return;
      const before = finished[index - 1];
      const run = async () => {
        const result = await work.fetch(item, stop);
        try {
          await before;
          stop.throwIfAborted();
        } catch (error) {
          await work.undo(result).catch(() => undefined);
          throw error;
        }
        await work.finish(result, item);
      };
      const done = run();
      finished[index] = done;
      await done.catch((error: unknown) => {
        stopper.abort(error);
      });
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  stop.throwIfAborted();
  return items;
}

function isDenied(error: unknown): boolean {
  return error instanceof RegistryError && ['DENIED', 'NAME_UNKNOWN'].includes(error.code);
}

function inDockersWords(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryError)) return error;
  if (error.code === 'MANIFEST_UNKNOWN') {
    return new NotFound(`manifest for ${familiarReference(reference)} not found: ${error.message}`);
  }
  return isDenied(error) ? accessDenied(reference) : error;
}

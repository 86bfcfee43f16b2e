// docker pull from a registry: manifest, configuration, layers (three at a time), each checked, and only then the reference.

import type { ContainerParts } from '../container/parts.ts';
import { NotFound, SystemError } from '../errors.ts';
import type { Credentials } from '../registry/credentials.ts';
import { RegistryError } from '../registry/errors.ts';
import type { OpenedRepository, Registries } from '../registry/registries.ts';
import { MAX_CONFIG, parseImageConfig } from './config-store.ts';
import { BlobDownload } from './download.ts';
import type { LayerHold } from './layers.ts';
import { fetchManifest, matchesPlatform, type Platform, showPlatform } from './manifest.ts';
import type { OciManifest } from './oci-image.ts';
import type { Report } from './progress.ts';
import { pullLayers } from './pull-layers.ts';
import {
  familiarName,
  familiarReference,
  fullReference,
  type Reference,
  repositoryName,
} from './reference.ts';
import type { SharedStore } from './shared-store.ts';

export interface RegistryPull {
  credentials: Credentials;
  report: Report;
  signal: AbortSignal;
}

interface Sources {
  registries: Registries;
  shared: SharedStore;
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
  sources: Sources,
  reference: Reference,
  platform: Platform,
  pull: RegistryPull,
): Promise<void> {
  const opened = await sources.registries.open(parts.sandbox.init, reference, pull);
  const { isNew } = await pullReference(parts, sources, opened, reference, platform, pull);
  const news = isNew ? 'Downloaded newer image' : 'Image is up to date';
  pull.report({ status: `Status: ${news} for ${familiarReference(reference)}` });
}

/** Pulls every tag of a repository. */
export async function pullAllFromRegistry(
  parts: ContainerParts,
  sources: Sources,
  base: Reference,
  platform: Platform,
  pull: RegistryPull,
): Promise<void> {
  const opened = await sources.registries.open(parts.sandbox.init, base, pull);
  const tags = await opened.repository.tags(pull.signal).catch((error: unknown) => {
    throw isDenied(error) ? accessDenied(base) : error;
  });
  let isAnyNew = false;
  for (const tag of tags) {
    const { isNew } = await pullReference(parts, sources, opened, { ...base, tag }, platform, pull);
    isAnyNew ||= isNew;
  }
  const news = isAnyNew ? 'Downloaded newer image' : 'Image is up to date';
  pull.report({ status: `Status: ${news} for ${familiarName(base)}` });
}

async function pullReference(
  parts: ContainerParts,
  sources: Sources,
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
    if (!images.byId(id)) await pullContent(parts, sources, opened, reference, manifest, hold, pull);
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
  sources: Sources,
  opened: OpenedRepository,
  reference: Reference,
  manifest: OciManifest,
  hold: LayerHold,
  { report, signal }: RegistryPull,
): Promise<void> {
  const { images } = parts;
  const download = new BlobDownload(opened.repository, manifest.config, signal);
  const rawConfig = (await download.whole(MAX_CONFIG)).toString('utf8');
  const diffIds = parseImageConfig(rawConfig).rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length) {
    throw new SystemError('invalid rootfs in image configuration');
  }
  const wanted = manifest.layers.map((blob, index) => ({ blob, diffId: diffIds[index] ?? '' }));
  await hold.keep(diffIds);
  const pulled = await pullLayers(parts, sources.shared, opened, wanted, hold, report, signal);
  await images.addImage(rawConfig);
  const repository = repositoryName(reference);
  await images.addOrigins(
    pulled.map(({ diffId, blob }) => ({ diffId, digest: blob.digest, size: blob.size, repository })),
  );
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

// GET /distribution/{name}/json: what a registry has under a name, without pulling it.

import type { ContainerParts } from '../container/parts.ts';
import { InvalidParameter } from '../errors.ts';
import type { Manifest, Repository } from '../registry/client.ts';
import type { Credentials } from '../registry/credentials.ts';
import { MAX_CONFIG, parseImageConfig } from './config-store.ts';
import { BlobDownload } from './download.ts';
import { ACCEPTED, isIndex, type Platform, parseIndex, parseManifest } from './manifest.ts';
import { MEDIA_TYPES } from './oci-image.ts';
import type { ImageSources } from './pull.ts';
import { fullReference, parseReference, withDefaultTag } from './reference.ts';

/** Descriptor and platforms; the catalogue's images need no registry. */
export async function inspectDistribution(
  parts: ContainerParts,
  { catalogue, registries }: ImageSources,
  name: string,
  credentials: Credentials,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  if (/^[0-9a-f]{64}$/.test(name)) throw new InvalidParameter(`unknown image reference format: ${name}`);
  const reference = withDefaultTag(parseReference(name));
  const entry = catalogue.resolve(fullReference(reference));
  if (entry) {
    const { manifestDigest: digest, manifestSize: size, config } = entry;
    return {
      Descriptor: { mediaType: MEDIA_TYPES.manifest, digest, size },
      Platforms: [{ architecture: config.architecture, os: config.os }],
    };
  }
  const { repository } = await registries.open(parts.sandbox.init, reference, { credentials, signal });
  const wanted = reference.digest ?? reference.tag ?? '';
  const manifest = await repository.manifest(wanted, ACCEPTED, signal);
  const { mediaType, digest, bytes } = manifest;
  return {
    Descriptor: { mediaType, digest, size: bytes.length },
    Platforms: await platformsOf(repository, manifest, signal),
  };
}

async function platformsOf(
  repository: Repository,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<Platform[]> {
  if (isIndex(manifest)) {
    return parseIndex(manifest).manifests.flatMap(({ platform }) => (platform ? [platform] : []));
  }
  const { config } = parseManifest(manifest);
  const text = await new BlobDownload(repository, config, signal).whole(MAX_CONFIG);
  const { architecture, os, variant } = parseImageConfig(text.toString('utf8'));
  return [{ architecture, os, ...(variant === undefined ? {} : { variant }) }];
}

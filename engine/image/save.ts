// docker save: images as one archive that is both an OCI layout and what older versions of Docker load.

import type { ContainerParts } from '../container/parts.ts';
import { digestOf } from './blobs.ts';
import type { Bytes } from './bytes.ts';
import type { Catalogue, CatalogueLayer } from './catalogue.ts';
import { readLayer } from './layer-tool.ts';
import type { LocalImage } from './local.ts';
import { MEDIA_TYPES } from './oci-image.ts';
import {
  familiarReference,
  fullReference,
  parseReference,
  repositoryName,
  withDefaultTag,
} from './reference.ts';
import { TAR_END, tarHeader, tarPadding } from './tar.ts';

const PLAIN_LAYER = 'application/vnd.oci.image.layer.v1.tar';

/** What an archive has of an image. */
export type SavedImage = Pick<LocalImage, 'id' | 'rawConfig' | 'layers'>;

/** An image and the tags (full form) that it is saved with. */
interface Chosen {
  image: LocalImage;
  tags: string[];
}

/** What `names` mean: a tag, every tag of a repository, or an image without its tags. Throws NotFound. */
export function chooseImages(parts: ContainerParts, names: readonly string[]): Chosen[] {
  const chosen = new Map<string, Chosen>();
  const choose = (image: LocalImage, tag?: string) => {
    const each = chosen.get(image.id) ?? { image, tags: [] };
    chosen.set(image.id, each);
    if (tag !== undefined && !each.tags.includes(tag)) each.tags.push(tag);
  };
  for (const name of names) {
    const ofRepository = tagsOfRepository(parts, name);
    for (const { image, tag } of ofRepository) choose(image, tag);
    if (ofRepository.length > 0) continue;
    const { image, isById } = parts.images.find(name);
    const reference = isById ? undefined : parseReference(name);
    const isTag = reference !== undefined && reference.digest === undefined;
    choose(image, isTag ? fullReference(withDefaultTag(reference)) : undefined);
  }
  return [...chosen.values()];
}

/** Every tag of a repository, when the name is one's without a tag. */
function tagsOfRepository(parts: ContainerParts, name: string): { image: LocalImage; tag: string }[] {
  if (/^(?:sha256:)?[0-9a-f]{64}$/.test(name)) return [];
  const reference = parseReference(name);
  if (reference.tag !== undefined || reference.digest !== undefined) return [];
  return parts.images.list().flatMap((image) =>
    image.localReferences
      .filter((each) => {
        const parsed = parseReference(each);
        return parsed.digest === undefined && repositoryName(parsed) === repositoryName(reference);
      })
      .map((tag) => ({ image, tag })),
  );
}

/** The archive, piece by piece. */
export async function* saveImages(
  parts: ContainerParts,
  catalogue: Catalogue,
  chosen: readonly { image: SavedImage; tags: readonly string[] }[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const hold = parts.layers.hold();
  try {
    await hold.keep(chosen.flatMap(({ image }) => image.layers.map((layer) => layer.diffId)));
    const written = new Set<string>();
    const index: object[] = [];
    for (const { image, tags } of chosen) {
      for (const layer of image.layers) {
        if (written.has(layer.digest)) continue;
        written.add(layer.digest);
        yield tarHeader(blobName(layer.digest), layer.size);
        yield* layerBytes(parts, catalogue, layer, signal);
        yield tarPadding(layer.size);
      }
      const manifest = manifestOf(image);
      for (const text of [image.rawConfig, manifest]) {
        const digest = digestOf(text);
        if (!written.has(digest)) yield file(blobName(digest), text);
        written.add(digest);
      }
      index.push(...describe(manifest, tags));
    }
    const layout = chosen.map(({ image, tags }) => ({
      Config: blobName(image.id),
      RepoTags: tags.length > 0 ? tags.map((tag) => familiarReference(parseReference(tag))) : null,
      Layers: image.layers.map((layer) => blobName(layer.digest)),
    }));
    yield file('index.json', JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: index }));
    yield file('manifest.json', JSON.stringify(layout));
    yield file('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
    yield TAR_END;
  } finally {
    hold.release();
    await parts.layers.collect();
  }
}

const INDEX = 'application/vnd.oci.image.index.v1+json';

function describe(manifest: string, tags: readonly string[]): object[] {
  const common = {
    mediaType: MEDIA_TYPES.manifest,
    digest: digestOf(manifest),
    size: Buffer.byteLength(manifest),
  };
  if (tags.length === 0) return [common];
  return tags.map((tag) => ({
    ...common,
    annotations: {
      'io.containerd.image.name': tag,
      'org.opencontainers.image.ref.name': parseReference(tag).tag ?? 'latest',
    },
  }));
}

/** The image-spec's manifest of an image as it is saved. */
function manifestOf(image: SavedImage): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config: { mediaType: MEDIA_TYPES.config, digest: image.id, size: Buffer.byteLength(image.rawConfig) },
    layers: image.layers.map((layer) => ({
      mediaType: isOwn(layer) ? PLAIN_LAYER : MEDIA_TYPES.layer,
      digest: layer.digest,
      size: layer.size,
    })),
  });
}

function isOwn(layer: CatalogueLayer): boolean {
  return layer.digest === layer.diffId;
}

/** A shared layer is given as it lies in the store, compressed; one of the sandbox's own is put together in there. */
function layerBytes(
  parts: ContainerParts,
  catalogue: Catalogue,
  layer: CatalogueLayer,
  signal: AbortSignal,
): Bytes {
  return isOwn(layer)
    ? readLayer(parts.sandbox.init, layer.diffId, signal)
    : catalogue.readLayer(layer.digest);
}

function file(name: string, text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([tarHeader(name, bytes.length), bytes, tarPadding(bytes.length)]);
}

function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

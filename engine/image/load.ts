// docker load: images from an archive that docker save (or an OCI layout) made, in whatever order its members come.

import { posix } from 'node:path';
import { z } from 'zod';
import type { ContainerParts } from '../container/parts.ts';
import { InvalidParameter, messageOf } from '../errors.ts';
import { digestOf } from './blobs.ts';
import { ByteReader, type Bytes, compressionOf } from './bytes.ts';
import { parseImageConfig } from './config-store.ts';
import { decompress, discardLayer, type StagedLayer, unpackLayer } from './layer-tool.ts';
import type { LayerHold } from './layers.ts';
import { GO_ARCHITECTURE } from './manifest.ts';
import { OciManifest, Sha256Digest } from './oci-image.ts';
import { type Report, shortDigest } from './progress.ts';
import { familiarReference, fullReference, parseReference, withDefaultTag } from './reference.ts';
import { looksLikeTar, type Member, readTar } from './tar.ts';

/** Documents are kept until the whole archive was seen; together they may have this many bytes. */
const MAX_DOCUMENTS = 8 * 2 ** 20;
const MAX_DOCUMENT = 4 * 2 ** 20;
const MAX_LAYERS = 1000;
const MAX_IMAGES = 200;

const DockerManifest = z
  .array(
    z.looseObject({
      Config: z.string(),
      RepoTags: z.array(z.string()).nullish(),
      Layers: z.array(z.string()).nullish(),
    }),
  )
  .max(MAX_IMAGES);

const OciIndex = z.looseObject({
  manifests: z
    .array(
      z.looseObject({
        digest: Sha256Digest,
        mediaType: z.string().optional(),
        platform: z.looseObject({ architecture: z.string(), os: z.string() }).optional(),
        annotations: z.record(z.string(), z.string()).optional(),
      }),
    )
    .max(MAX_IMAGES),
});

/** An image of the archive: names of members, and what it is to be called. */
interface LoadedImage {
  config: string;
  layers: readonly string[];
  tags: readonly string[];
}

/** What an archive holds: layers are on the sandbox's disk already, documents in memory. */
class Contents {
  readonly documents = new Map<string, Buffer>();
  /** diff id by member name */
  readonly layers = new Map<string, string>();
  readonly links = new Map<string, string>();
  readonly staged: StagedLayer[] = [];

  resolve(name: string): string {
    let at = posix.normalize(name);
    for (let i = 0; i < 5; i++) at = this.links.get(at) ?? at;
    return at;
  }

  json<T extends z.ZodType>(name: string, schema: T): z.infer<T> | undefined {
    const bytes = this.documents.get(this.resolve(name));
    if (!bytes) return undefined;
    try {
      return schema.parse(JSON.parse(bytes.toString('utf8')));
    } catch (error) {
      throw new InvalidParameter(`invalid ${name} in the archive: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** Loads every image of an archive, compressed or not; gives the lines that the client shows. */
export async function loadImages(
  parts: ContainerParts,
  archive: Bytes,
  signal: AbortSignal,
  report: Report = () => undefined,
): Promise<string[]> {
  const { layers } = parts;
  const { init } = parts.sandbox;
  const contents = new Contents();
  const hold = layers.hold();
  try {
    for await (const member of readTar(decompress(init, archive, signal)))
      await takeMember(parts, contents, hold, member, signal);
    const found = imagesOf(contents);
    if (found.length === 0) throw new InvalidParameter('the archive has no manifest.json and no index.json');
    const lines: string[] = [];
    for (const each of found) lines.push(...(await addImage(parts, contents, hold, each, report)));
    return lines;
  } finally {
    for (const layer of contents.staged) await discardLayer(init, layer).catch(() => undefined);
    hold.release();
    await layers.collect();
  }
}

async function takeMember(
  parts: ContainerParts,
  contents: Contents,
  hold: LayerHold,
  member: Member,
  signal: AbortSignal,
): Promise<void> {
  if (member.type === 'link') {
    const base = member.isSymlink ? posix.dirname(member.name) : '';
    contents.links.set(member.name, posix.normalize(posix.join(base, member.target)));
  }
  if (member.type !== 'file') return;
  // A layer that is there need not be unpacked again; what the name says is checked against the configuration.
  const named = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(member.name)?.[1];
  if (named) await hold.keep([`sha256:${named}`]);
  if (named && parts.images.layer(`sha256:${named}`)) {
    contents.layers.set(member.name, `sha256:${named}`);
    return;
  }
  const reader = new ByteReader(member.body);
  const start = await reader.peek(512);
  if (compressionOf(start) !== undefined || looksLikeTar(start)) {
    if (contents.layers.size >= MAX_LAYERS) throw new InvalidParameter('the archive has too many layers');
    const { init } = parts.sandbox;
    const layer = await unpackLayer(init, decompress(init, reader.all(), signal), signal);
    contents.layers.set(member.name, layer.diffId);
    contents.staged.push(layer);
    return;
  }
  const kept = [...contents.documents.values()].reduce((sum, each) => sum + each.length, 0);
  if (member.size > MAX_DOCUMENT || kept + member.size > MAX_DOCUMENTS) {
    throw new InvalidParameter(`${member.name.slice(0, 200)} in the archive is too large`);
  }
  // a copy: what was read is a part of a larger buffer
  contents.documents.set(member.name, Buffer.from(await reader.read(member.size)));
}

function imagesOf(contents: Contents): LoadedImage[] {
  const manifest = contents.json('manifest.json', DockerManifest);
  if (manifest) {
    return manifest.map(({ Config, Layers, RepoTags }) => ({
      config: Config,
      layers: Layers ?? [],
      tags: RepoTags ?? [],
    }));
  }
  return imagesOfIndex(contents, 'index.json', [], 0);
}

function imagesOfIndex(
  contents: Contents,
  name: string,
  outerTags: readonly string[],
  depth: number,
): LoadedImage[] {
  const index = contents.json(name, OciIndex);
  if (!index) return [];
  return index.manifests.flatMap((each) => {
    const { os = 'linux', architecture = GO_ARCHITECTURE[process.arch] } = each.platform ?? {};
    if (os !== 'linux' || architecture !== GO_ARCHITECTURE[process.arch]) return [];
    const named = each.annotations?.['io.containerd.image.name'];
    const tags = named === undefined ? outerTags : [named];
    const blob = blobName(each.digest);
    if (/index|manifest\.list/.test(each.mediaType ?? '')) {
      return depth < 2 ? imagesOfIndex(contents, blob, tags, depth + 1) : [];
    }
    const manifest = contents.json(blob, OciManifest);
    if (!manifest) return [];
    const layers = manifest.layers.map((layer) => blobName(layer.digest));
    return [{ config: blobName(manifest.config.digest), layers, tags }];
  });
}

function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

async function addImage(
  parts: ContainerParts,
  contents: Contents,
  hold: LayerHold,
  image: LoadedImage,
  report: Report,
): Promise<string[]> {
  const { images, events } = parts;
  const rawConfig = contents.documents.get(contents.resolve(image.config))?.toString('utf8');
  if (rawConfig === undefined) throw new InvalidParameter(`${image.config} is not in the archive`);
  const config = parseImageConfig(rawConfig);
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== image.layers.length) {
    throw new InvalidParameter(
      `invalid manifest, layers length mismatch: expected ${diffIds.length}, got ${image.layers.length}`,
    );
  }
  for (const [index, diffId] of diffIds.entries()) {
    const actual = contents.layers.get(contents.resolve(image.layers[index] ?? ''));
    if (actual !== diffId) {
      throw new InvalidParameter(
        `invalid diffID for layer ${index}: expected "${diffId}", got "${actual ?? 'no such layer'}"`,
      );
    }
    const staged = contents.staged.find((layer) => layer.diffId === diffId);
    if (!staged) continue;
    const { archiveSize: total } = staged;
    report({ status: 'Loading layer', progressDetail: { current: total, total }, id: shortDigest(diffId) });
    await hold.adopt(staged);
  }
  const references = image.tags.map((tag) => withDefaultTag(parseReference(tag)));
  const lines: string[] = [];
  for (const reference of references) {
    const before = images.byReference(reference);
    if (before && before.id !== digestOf(rawConfig)) {
      lines.push(
        `The image ${familiarReference(reference)} already exists, renaming the old one with ID ${before.id} to empty string`,
      );
    }
  }
  const id = await images.addImage(rawConfig);
  if (references.length > 0) await images.addReferences(id, references.map(fullReference));
  for (const reference of references) lines.push(`Loaded image: ${familiarReference(reference)}`);
  if (references.length === 0) lines.push(`Loaded image ID: ${id}`);
  events.publish('image', 'load', id, { ...config.config?.Labels, name: id });
  return lines;
}

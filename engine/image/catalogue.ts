// The catalogue: the bundled images that every sandbox can pull without a network, as set-up left them in the store.

import { createReadStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { messageOf, SystemError } from '../errors.ts';
import { blobPath } from './blobs.ts';
import { imagesDir, layerDirName } from './layer.ts';
import { OciImageConfig, OciManifest, Sha256Digest } from './oci-image.ts';
import { fullReference, parseReference, withDefaultTag } from './reference.ts';

/** BERTH_DATA/images/catalogue.json, written by set-up. */
export const CatalogueFile = z.object({
  version: z.literal(1),
  images: z.array(
    z.object({
      /** full references: docker.io/library/nginx:latest */
      references: z.array(z.string()).min(1),
      manifest: Sha256Digest,
      description: z.string(),
      /** bytes of each layer's files when unpacked, base first */
      unpackedSizes: z.array(z.number().int().nonnegative()),
    }),
  ),
});
export type CatalogueFile = z.infer<typeof CatalogueFile>;

/** A layer of a catalogue image. */
export interface CatalogueLayer {
  /** of the compressed blob */
  digest: string;
  /** of the uncompressed archive */
  diffId: string;
  /** bytes, compressed */
  size: number;
  /** bytes of its files */
  unpackedSize: number;
  /** its directory under the shared layers */
  dirName: string;
}

/** An image of the catalogue. */
export interface CatalogueEntry {
  /** full references: docker.io/library/nginx:latest */
  references: string[];
  /** digest of the config blob, which is Docker's image id */
  id: string;
  manifestDigest: string;
  manifestSize: number;
  config: OciImageConfig;
  /** the config blob's exact text */
  rawConfig: string;
  /** base first */
  layers: CatalogueLayer[];
  /** bytes of all layers, unpacked: what `docker images` shows */
  size: number;
  /** RFC 3339 */
  created: string;
  description: string;
}

/** The bundled images, as they were when they were last read. */
export interface Catalogue {
  list(): CatalogueEntry[];
  /** by reference in any form: `nginx`, `docker.io/library/nginx:latest`, `nginx@sha256:…` (manifest digest) */
  resolve(reference: string): CatalogueEntry | undefined;
  /** by image id, `sha256:…` */
  byId(id: string): CatalogueEntry | undefined;
  /** the blob of a layer, compressed, by its digest */
  readLayer(digest: string): Readable;
  /** Reads it again, after set-up has changed it. What is not in it any more is still known by its id until the engine ends. */
  reload(): Promise<void>;
}

type Index = Pick<Catalogue, 'list' | 'resolve' | 'byId'>;

/** Reads the catalogue of a data directory; it is empty when set-up has not made one. */
export async function openCatalogue(dataDir: string): Promise<Catalogue> {
  let index = await readIndex(dataDir);
  return {
    list: () => index.list(),
    resolve: (reference) => index.resolve(reference),
    byId: (id) => index.byId(id),
    readLayer: (digest) => createReadStream(blobPath(dataDir, digest)),
    async reload() {
      const before = index;
      const now = await readIndex(dataDir);
      index = { ...now, byId: (id) => now.byId(id) ?? before.byId(id) };
    },
  };
}

async function readIndex(dataDir: string): Promise<Index> {
  const file = path.join(imagesDir(dataDir), 'catalogue.json');
  const text = await readIfThere(file);
  if (text === undefined) return indexEntries([]);
  let parsed: CatalogueFile;
  try {
    parsed = CatalogueFile.parse(JSON.parse(text));
  } catch (error) {
    throw new SystemError(`${file} is damaged (${messageOf(error)}); run: berth setup`, { cause: error });
  }
  return indexEntries(await Promise.all(parsed.images.map((image) => readEntry(dataDir, image))));
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await fs.readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function readEntry(dataDir: string, image: CatalogueFile['images'][number]): Promise<CatalogueEntry> {
  const manifestText = await fs.readFile(blobPath(dataDir, image.manifest), 'utf8');
  const manifest = OciManifest.parse(JSON.parse(manifestText));
  const rawConfig = await fs.readFile(blobPath(dataDir, manifest.config.digest), 'utf8');
  const config = OciImageConfig.parse(JSON.parse(rawConfig));
  const layers = manifest.layers.map((layer, index) => {
    const diffId = config.rootfs.diff_ids[index];
    const unpackedSize = image.unpackedSizes[index];
    if (diffId === undefined || unpackedSize === undefined) {
      throw new SystemError(
        `catalogue image ${image.references[0]} has layers without a diff id; run: berth setup`,
      );
    }
    return { digest: layer.digest, diffId, size: layer.size, unpackedSize, dirName: layerDirName(diffId) };
  });
  return {
    references: image.references,
    id: manifest.config.digest,
    manifestDigest: image.manifest,
    manifestSize: Buffer.byteLength(manifestText),
    config,
    rawConfig,
    layers,
    size: layers.reduce((sum, layer) => sum + layer.unpackedSize, 0),
    created: config.created ?? new Date(0).toISOString(),
    description: image.description,
  };
}

function indexEntries(entries: CatalogueEntry[]): Index {
  const byReference = new Map<string, CatalogueEntry>();
  const byId = new Map<string, CatalogueEntry>();
  for (const entry of entries) {
    byId.set(entry.id, entry);
    for (const reference of entry.references) {
      const parsed = parseReference(reference);
      byReference.set(fullReference(parsed), entry);
      byReference.set(
        fullReference({ domain: parsed.domain, path: parsed.path, digest: entry.manifestDigest }),
        entry,
      );
    }
  }
  return {
    list: () => [...entries],
    resolve: (text) => {
      const { tag, ...reference } = withDefaultTag(parseReference(text));
      // As Docker does, a digest wins over a tag beside it.
      const key = reference.digest === undefined && tag !== undefined ? { ...reference, tag } : reference;
      return byReference.get(fullReference(key));
    },
    byId: (id) => byId.get(id),
  };
}

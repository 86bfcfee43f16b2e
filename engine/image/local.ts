// The images a sandbox has: which references it gave to which images. Their layers are the catalogue's, shared by all, or on the sandbox's own disk.

import path from 'node:path';
import { z } from 'zod';
import { InvalidParameter, NotFound } from '../errors.ts';
import { formatNanos, nowNanos, parseRfc3339 } from '../events/clock.ts';
import { Mutex } from '../sandbox/mutex.ts';
import { readJsonFile, writeJsonFile } from '../store/json-file.ts';
import { digestOf } from './blobs.ts';
import type { Catalogue, CatalogueEntry, CatalogueLayer } from './catalogue.ts';
import { ConfigStore } from './config-store.ts';
import { layerDirName } from './layer.ts';
import {
  familiarReference,
  fullReference,
  parseReference,
  type Reference,
  withDefaultTag,
} from './reference.ts';
import { SharedLayer } from './shared-store.ts';

const PrivateLayer = z.object({
  /** bytes of its files */
  size: z.number().int().nonnegative(),
  /** bytes of its archive */
  archiveSize: z.number().int().nonnegative(),
});
type PrivateLayer = z.infer<typeof PrivateLayer>;

const Origin = z.object({
  digest: z.string(),
  size: z.number().int().nonnegative(),
  /** in full: `localhost:5000/web` */
  repositories: z.array(z.string()),
});
type Origin = z.infer<typeof Origin>;

/** What is to be remembered of a layer that a registry has. */
export interface LayerOrigin {
  diffId: string;
  /** of the compressed blob */
  digest: string;
  size: number;
  /** in full */
  repository: string;
}

const SharedFacts = SharedLayer.omit({ diffId: true });

const Records = z.object({
  version: z.literal(1),
  /** full reference to image id */
  references: z.record(z.string(), z.string()),
  /** images that are there, with or without a reference: image id to the time of the last tag, and what it was made from */
  images: z.record(z.string(), z.object({ tagged: z.string(), parent: z.string().optional() })),
  /** layers on the sandbox's own disk by diff id; one that no image and no container uses is removed */
  layers: z.record(z.string(), PrivateLayer).default({}),
  /** by diff id: which compressed blob a layer is in registries, and in which repositories that is known to be */
  origins: z.record(z.string(), Origin).default({}),
  /** layers of the shared store that images or containers here need, by diff id: as long as they are named here they stay there */
  shared: z.record(z.string(), SharedFacts).default({}),
});
type Records = z.infer<typeof Records>;

/** References one sandbox may have, so that a loop of `docker tag` ends. */
const MAX_REFERENCES = 2000;
/** Images one sandbox may have, since their configurations lie outside its disk. */
const MAX_IMAGES = 500;

/** Repositories that are remembered of one layer. */
const MAX_ORIGINS = 8;

/** An image that a sandbox has, with the references it gave it. */
export interface LocalImage extends CatalogueEntry {
  /** name:tag and name@digest, full */
  localReferences: string[];
  lastTagged: string;
  /** id of the image it was committed from, or '' */
  parent: string;
}

/** Owns a sandbox's images.json. */
export class ImageStore {
  private readonly lock = new Mutex();

  private constructor(
    private readonly file: string,
    private readonly catalogue: Catalogue,
    private records: Records,
    private readonly configs: ConfigStore,
  ) {}

  static async open(stateDir: string, catalogue: Catalogue): Promise<ImageStore> {
    const file = path.join(stateDir, 'images.json');
    const records = await readJsonFile(file, Records);
    const configs = await ConfigStore.open(
      path.join(stateDir, 'image-configs'),
      Object.keys(records?.images ?? {}),
    );
    const store = new ImageStore(
      file,
      catalogue,
      records ?? { version: 1, references: {}, images: {}, layers: {}, origins: {}, shared: {} },
      configs,
    );
    await store.keepCatalogueImages();
    return store;
  }

  /** Images that were pulled from the catalogue by an engine that did not keep their configurations. */
  private async keepCatalogueImages(): Promise<void> {
    for (const id of Object.keys(this.records.images)) {
      const entry = this.configs.get(id) ? undefined : this.catalogue.byId(id);
      if (!entry) continue;
      await this.configs.add(id, entry.rawConfig);
      await this.change((records) => this.noteCatalogueLayers(records, entry.config.rootfs.diff_ids));
    }
  }

  list(): LocalImage[] {
    return Object.keys(this.records.images).flatMap((id) => this.byId(id) ?? []);
  }

  byId(id: string): LocalImage | undefined {
    const entry = this.catalogue.byId(id) ?? this.privateEntry(id);
    const record = this.records.images[id];
    if (!entry || !record) return undefined;
    const localReferences = Object.keys(this.records.references)
      .filter((reference) => this.records.references[reference] === id)
      .sort();
    return { ...entry, localReferences, lastTagged: record.tagged, parent: record.parent ?? '' };
  }

  private privateEntry(id: string): CatalogueEntry | undefined {
    const stored = this.configs.get(id);
    if (!stored) return undefined;
    const { config, rawConfig } = stored;
    const layers = config.rootfs.diff_ids.map((diffId) => this.layer(diffId));
    if (!layers.every((layer) => layer !== undefined)) return undefined;
    return {
      references: [],
      id,
      manifestDigest: '',
      manifestSize: 0,
      config,
      rawConfig,
      layers,
      size: layers.reduce((sum, layer) => sum + layer.unpackedSize, 0),
      created: validTime(config.created),
      description: '',
    };
  }

  /** A layer that is there: shared, or the sandbox's own. */
  layer(diffId: string): CatalogueLayer | undefined {
    const own = this.records.layers[diffId];
    if (own) {
      const dirName = `overlay2/${layerDirName(diffId)}`;
      return { digest: diffId, diffId, size: own.archiveSize, unpackedSize: own.size, dirName };
    }
    const shared = this.records.shared[diffId];
    if (shared) return { ...shared, diffId, dirName: layerDirName(diffId) };
    return this.catalogueLayer(diffId);
  }

  private catalogueLayer(diffId: string): CatalogueLayer | undefined {
    for (const { layers } of this.catalogue.list()) {
      const found = layers.find((layer) => layer.diffId === diffId);
      if (found) return found;
    }
    return undefined;
  }

  /** The sandbox's own layers, by diff id. */
  privateLayers(): ReadonlyMap<string, PrivateLayer> {
    return new Map(Object.entries(this.records.layers));
  }

  /** Records a layer before it is put in its place, so that it is never there unknown. */
  addLayer(diffId: string, layer: PrivateLayer): Promise<void> {
    return this.change((records) => {
      records.layers[diffId] = { size: layer.size, archiveSize: layer.archiveSize };
    });
  }

  /** Records shared layers before an image that has them. */
  addShared(layers: readonly SharedLayer[]): Promise<void> {
    return this.change((records) => {
      for (const layer of layers) note(records, layer);
    });
  }

  /** Forgets the shared layers that neither an image nor anything else needs; true when there were any. */
  async forgetShared(isNeeded: (diffId: string) => boolean): Promise<boolean> {
    const ofImages = new Set(this.list().flatMap((image) => image.layers.map((layer) => layer.diffId)));
    const unused = Object.keys(this.records.shared).filter(
      (diffId) => !ofImages.has(diffId) && !isNeeded(diffId),
    );
    if (unused.length === 0) return false;
    await this.change((records) => {
      for (const diffId of unused) delete records.shared[diffId];
    });
    return true;
  }

  forgetLayers(diffIds: readonly string[]): Promise<void> {
    return this.change((records) => {
      for (const diffId of diffIds) delete records.layers[diffId];
    });
  }

  /** Adds an image whose layers are all there, and gives its id. */
  async addImage(rawConfig: string, parent = ''): Promise<string> {
    const id = digestOf(rawConfig);
    const isNew = this.records.images[id] === undefined;
    if (isNew && Object.keys(this.records.images).length >= MAX_IMAGES) {
      throw new InvalidParameter(`this lab host has ${MAX_IMAGES} images; remove some`);
    }
    const config = await this.configs.add(id, rawConfig);
    await this.change((records) => {
      this.noteCatalogueLayers(records, config.rootfs.diff_ids);
      records.images[id] = {
        tagged: formatNanos(nowNanos()),
        ...(parent === '' ? {} : { parent }),
        ...records.images[id],
      };
    });
    return id;
  }

  /** Which blob a layer is in registries, when it came from one or went to one. */
  origin(diffId: string): Origin | undefined {
    return this.records.origins[diffId];
  }

  /** Remembers where blobs of layers are; of layers that are not there any more it forgets it. */
  addOrigins(origins: readonly LayerOrigin[]): Promise<void> {
    return this.change((records) => {
      for (const { diffId, digest, size, repository } of origins) {
        const known = records.origins[diffId];
        const others = known?.digest === digest ? known.repositories : [];
        const repositories = [repository, ...others.filter((each) => each !== repository)];
        records.origins[diffId] = { digest, size, repositories: repositories.slice(0, MAX_ORIGINS) };
      }
      const needed = new Set(this.list().flatMap((image) => image.layers.map((layer) => layer.diffId)));
      for (const diffId of Object.keys(records.origins)) {
        if (!needed.has(diffId)) delete records.origins[diffId];
      }
    });
  }

  /** Images that were committed from this one. */
  children(id: string): string[] {
    return Object.keys(this.records.images).filter((each) => this.records.images[each]?.parent === id);
  }

  /** The image that a reference names in this sandbox. */
  byReference(reference: Reference): LocalImage | undefined {
    const { tag, ...rest } = withDefaultTag(reference);
    const key = rest.digest === undefined && tag !== undefined ? { ...rest, tag } : rest;
    const id = this.records.references[fullReference(key)];
    return id === undefined ? undefined : this.byId(id);
  }

  /**
   * By reference, image id, or unambiguous start of the id, as users name images. Throws NotFound in Docker's words.
   * Says too whether the id was used, because removal differs then.
   */
  find(text: string): { image: LocalImage; isById: boolean } {
    const exactId = /^(?:sha256:)?([0-9a-f]{64})$/.exec(text)?.[1];
    if (exactId) {
      const image = this.byId(`sha256:${exactId}`);
      if (!image) throw new NotFound(`No such image: ${text}`);
      return { image, isById: true };
    }
    const reference = parseReference(text);
    const named = this.byReference(reference);
    if (named) return { image: named, isById: false };
    const prefix = /^(?:sha256:)?([0-9a-f]+)$/.exec(text)?.[1];
    const matches = prefix
      ? Object.keys(this.records.images).filter((id) => id.startsWith(`sha256:${prefix}`))
      : [];
    if (matches.length > 1) throw new InvalidParameter(`multiple IDs found with provided prefix: ${text}`);
    const image = this.byId(matches[0] ?? '');
    if (!image) throw new NotFound(`No such image: ${familiarReference(withDefaultTag(reference))}`);
    return { image, isById: true };
  }

  /** Gives an image references (full form), taking them from the image that had them. */
  async addReferences(id: string, references: readonly string[]): Promise<void> {
    // an image of the catalogue stays the sandbox's when set-up replaces it there
    const entry = this.configs.get(id) ? undefined : this.catalogue.byId(id);
    if (entry) await this.configs.add(id, entry.rawConfig);
    await this.change((records) => {
      if (entry) this.noteCatalogueLayers(records, entry.config.rootfs.diff_ids);
      for (const reference of references) records.references[reference] = id;
      if (Object.keys(records.references).length > MAX_REFERENCES) {
        throw new InvalidParameter(`this lab host has ${MAX_REFERENCES} image references; remove some`);
      }
      records.images[id] = { ...records.images[id], tagged: formatNanos(nowNanos()) };
    });
  }

  removeReferences(references: readonly string[]): Promise<void> {
    return this.change((records) => {
      for (const reference of references) delete records.references[reference];
    });
  }

  /** Forgets an image and every reference to it. */
  async remove(id: string): Promise<void> {
    await this.change((records) => {
      delete records.images[id];
      for (const [reference, of] of Object.entries(records.references)) {
        if (of === id) delete records.references[reference];
      }
    });
    await this.configs.remove(id);
  }

  /** The facts of layers that are the catalogue's now, and may not be for ever. */
  private noteCatalogueLayers(records: Records, diffIds: readonly string[]): void {
    for (const diffId of diffIds) {
      const layer = records.layers[diffId] ? undefined : this.catalogueLayer(diffId);
      if (layer) note(records, layer);
    }
  }

  private change(edit: (records: Records) => void): Promise<void> {
    return this.lock.run(async () => {
      const next = structuredClone(this.records);
      edit(next);
      await writeJsonFile(this.file, next);
      this.records = next;
    });
  }
}

function note(records: Records, { diffId, digest, size, unpackedSize }: SharedLayer): void {
  records.shared[diffId] = { digest, size, unpackedSize };
}

/** What an archive or a registry says may be no time at all. */
function validTime(text: string | undefined): string {
  try {
    parseRfc3339(text ?? '');
    return text ?? '';
  } catch {
    return new Date(0).toISOString();
  }
}

// The images a sandbox has: which references it gave to which images. Their content is the catalogue's, shared by all.

import path from 'node:path';
import { z } from 'zod';
import { InvalidParameter, NotFound } from '../errors.ts';
import { formatNanos, nowNanos } from '../events/clock.ts';
import { Mutex } from '../sandbox/mutex.ts';
import { readJsonFile, writeJsonFile } from '../store/json-file.ts';
import type { Catalogue, CatalogueEntry } from './catalogue.ts';
import {
  familiarReference,
  fullReference,
  parseReference,
  type Reference,
  withDefaultTag,
} from './reference.ts';

const Records = z.object({
  version: z.literal(1),
  /** full reference to image id */
  references: z.record(z.string(), z.string()),
  /** images that are there, with or without a reference: image id to the time of the last tag */
  images: z.record(z.string(), z.object({ tagged: z.string() })),
});
type Records = z.infer<typeof Records>;

/** References one sandbox may have, so that a loop of `docker tag` ends. */
const MAX_REFERENCES = 2000;

/** An image that a sandbox has, with the references it gave it. */
export interface LocalImage extends CatalogueEntry {
  /** name:tag and name@digest, full */
  localReferences: string[];
  lastTagged: string;
}

/** Owns a sandbox's images.json. */
export class ImageStore {
  private readonly lock = new Mutex();

  private constructor(
    private readonly file: string,
    private readonly catalogue: Catalogue,
    private records: Records,
  ) {}

  static async open(stateDir: string, catalogue: Catalogue): Promise<ImageStore> {
    const file = path.join(stateDir, 'images.json');
    const records = await readJsonFile(file, Records);
    return new ImageStore(file, catalogue, records ?? { version: 1, references: {}, images: {} });
  }

  list(): LocalImage[] {
    return Object.keys(this.records.images).flatMap((id) => this.byId(id) ?? []);
  }

  byId(id: string): LocalImage | undefined {
    const entry = this.catalogue.byId(id);
    const record = this.records.images[id];
    if (!entry || !record) return undefined;
    const localReferences = Object.keys(this.records.references)
      .filter((reference) => this.records.references[reference] === id)
      .sort();
    return { ...entry, localReferences, lastTagged: record.tagged };
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
  addReferences(id: string, references: readonly string[]): Promise<void> {
    return this.change((records) => {
      for (const reference of references) records.references[reference] = id;
      if (Object.keys(records.references).length > MAX_REFERENCES) {
        throw new InvalidParameter(`this lab host has ${MAX_REFERENCES} image references; remove some`);
      }
      records.images[id] = { tagged: formatNanos(nowNanos()) };
    });
  }

  removeReferences(references: readonly string[]): Promise<void> {
    return this.change((records) => {
      for (const reference of references) delete records.references[reference];
    });
  }

  /** Forgets an image and every reference to it. */
  remove(id: string): Promise<void> {
    return this.change((records) => {
      delete records.images[id];
      for (const [reference, of] of Object.entries(records.references)) {
        if (of === id) delete records.references[reference];
      }
    });
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

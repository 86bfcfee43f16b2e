// Layers that all sandboxes share beside the catalogue's: downloaded and unpacked once, removed when nobody needs them.

import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { messageOf, SystemError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Repository } from '../registry/client.ts';
import { Mutex } from '../sandbox/mutex.ts';
import { readJsonFile, writeJsonFile } from '../store/json-file.ts';
import { blobPath } from './blobs.ts';
import type { CatalogueLayer } from './catalogue.ts';
import { BlobDownload } from './download.ts';
import { imagesDir, layerDirName } from './layer.ts';
import { Sha256Digest } from './oci-image.ts';
import { ItemProgress, type ProgressLine, type Report } from './progress.ts';
import { checkFree, type Unpacker, unpackShared } from './shared-unpack.ts';

/** Compressed bytes that one layer may have. */
const MAX_BLOB = 8 * 2 ** 30;

/** A layer that is in the shared store; BERTH_DATA/images/shared/<directory name>.json is one. */
export const SharedLayer = z.object({
  diffId: Sha256Digest,
  /** of the compressed blob */
  digest: Sha256Digest,
  size: z.number().int().nonnegative(),
  unpackedSize: z.number().int().nonnegative(),
});
export type SharedLayer = z.infer<typeof SharedLayer>;

/** A layer that is wanted: what a manifest and a configuration say of it. */
export interface WantedLayer {
  blob: { digest: string; size: number };
  diffId: string;
}

interface Flight {
  result: Promise<SharedLayer>;
  listeners: Set<Report>;
  /** how many wait for it */
  riders: number;
  stop: AbortController;
}

/** Layers that work under way needs; they stay until it is released. */
export interface SharedHold {
  keep(diffIds: readonly string[]): void;
  release(): void;
}

export class SharedStore {
  readonly #dataDir: string;
  readonly #unpacker: Unpacker;
  readonly #log: Logger;
  readonly #layers = new Map<string, SharedLayer>();
  readonly #flights = new Map<string, Flight>();
  readonly #holds = new Set<Set<string>>();
  readonly #lock = new Mutex();
  #isOwn = false;
  #onUnused: () => void = () => undefined;

  private constructor(dataDir: string, unpacker: Unpacker, log: Logger) {
    this.#dataDir = dataDir;
    this.#unpacker = unpacker;
    this.#log = log;
  }

  /** Reads what is there, and clears away what was half done. */
  static async open(dataDir: string, unpacker: Unpacker, log: Logger): Promise<SharedStore> {
    const store = new SharedStore(dataDir, unpacker, log);
    await store.#load();
    return store;
  }

  async #load(): Promise<void> {
    const images = imagesDir(this.#dataDir);
    await fs.mkdir(images, { recursive: true });
    // a store that is reached through a link is somebody else's: nothing is put there or taken away
    this.#isOwn = (await fs.lstat(images)).isDirectory();
    if (!this.#isOwn) return;
    // layers have programs with set-user-id bits, owned by the host's ids: no user of the host may come near them
    await fs.chmod(images, 0o700);
    await fs.rm(this.#staging, { recursive: true, force: true });
    await fs.mkdir(this.#records, { recursive: true });
    for (const name of await fs.readdir(this.#records)) {
      const file = path.join(this.#records, name);
      const layer = await readJsonFile(file, SharedLayer).catch((error: unknown) => {
        this.#log.warn({ file, err: error }, 'a record of a shared layer is damaged; it is removed');
        return undefined;
      });
      const isWhole = layer && `${layerDirName(layer.diffId)}.json` === name && (await this.#isThere(layer));
      if (isWhole) this.#layers.set(layer.diffId, layer);
      else await fs.rm(file, { force: true });
    }
  }

  get dataDir(): string {
    return this.#dataDir;
  }

  /** Called whenever layers may have become unused. */
  onUnused(listener: () => void): void {
    this.#onUnused = listener;
  }

  noteUnused(): void {
    this.#onUnused();
  }

  hold(): SharedHold {
    const held = new Set<string>();
    this.#holds.add(held);
    return {
      keep: (diffIds) => {
        for (const diffId of diffIds) held.add(diffId);
      },
      release: () => {
        this.#holds.delete(held);
      },
    };
  }

  /** A shared layer that was pulled; hold it first. */
  get(diffId: string): SharedLayer | undefined {
    return this.#layers.get(diffId);
  }

  /** Whether layers can be put here at all. */
  get isWritable(): boolean {
    return this.#isOwn;
  }

  /**
   * The layer, downloaded and unpacked unless it is there: once, however many ask at a time. The download ends when all who
   * asked have left.
   */
  async fetch(
    wanted: WantedLayer,
    repository: Repository,
    report: Report,
    signal: AbortSignal,
  ): Promise<SharedLayer> {
    for (;;) {
      const known = this.#layers.get(wanted.diffId);
      if (known) return known;
      const flight = this.#board(wanted, repository);
      flight.listeners.add(report);
      flight.riders += 1;
      const leave = () => {
        flight.riders -= 1;
        flight.listeners.delete(report);
        if (flight.riders === 0) flight.stop.abort();
      };
      try {
        return await Promise.race([flight.result, untilAborted(signal)]);
      } catch (error) {
        signal.throwIfAborted();
        // the others had left when this one came
        if (!flight.stop.signal.aborted) throw error;
      } finally {
        leave();
      }
    }
  }

  #board(wanted: WantedLayer, repository: Repository): Flight {
    const key = `${wanted.diffId} ${wanted.blob.digest}`;
    const flying = this.#flights.get(key);
    if (flying && !flying.stop.signal.aborted) return flying;
    const listeners = new Set<Report>();
    const stop = new AbortController();
    const tell = (line: ProgressLine) => {
      for (const listener of listeners) listener(line);
    };
    const held = this.hold();
    held.keep([wanted.diffId]);
    const result = this.#bring(wanted, repository, tell, stop.signal).finally(() => {
      held.release();
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    });
    result.catch(() => undefined);
    const flight: Flight = { result, listeners, riders: 0, stop };
    this.#flights.set(key, flight);
    return flight;
  }

  async #bring(
    { blob, diffId }: WantedLayer,
    repository: Repository,
    tell: Report,
    signal: AbortSignal,
  ): Promise<SharedLayer> {
    if (blob.size > MAX_BLOB) throw new SystemError(`the blob ${blob.digest} is too large`);
    const work = path.join(this.#staging, randomBytes(8).toString('hex'));
    await fs.mkdir(work, { recursive: true, mode: 0o755 });
    try {
      await checkFree(work, blob.size);
      const file = path.join(work, 'blob');
      // the caller's progress knows the id
      const progress = new ItemProgress('', tell);
      const download = new BlobDownload(repository, blob, signal, progress);
      await pipeline(Readable.from(download.bytes()), createWriteStream(file), { signal });
      progress.bytes('Extracting', 0, blob.size);
      const unpacked = await unpackShared(this.#unpacker, file, path.join(work, 'layer'), signal);
      if (unpacked.diffId !== diffId) {
        throw new SystemError(
          `layer ${blob.digest} is not what the image configuration says: expected ${diffId}`,
        );
      }
      const layer = { diffId, digest: blob.digest, size: blob.size, unpackedSize: unpacked.size };
      await this.#lock.run(() => this.#place(layer, file, path.join(work, 'layer', 'files')));
      return layer;
    } finally {
      await fs.rm(work, { recursive: true, force: true });
    }
  }

  async #place(layer: SharedLayer, blob: string, files: string): Promise<void> {
    await fs.mkdir(path.dirname(blobPath(this.#dataDir, layer.digest)), { recursive: true });
    await fs.rename(blob, blobPath(this.#dataDir, layer.digest));
    await fs.mkdir(this.#unpacked, { recursive: true });
    const place = path.join(this.#unpacked, layerDirName(layer.diffId));
    // the same content is there when it is the catalogue's too
    if (!(await exists(place))) await fs.rename(files, place);
    await writeJsonFile(path.join(this.#records, `${layerDirName(layer.diffId)}.json`), layer);
    this.#layers.set(layer.diffId, layer);
  }

  async #isThere(layer: SharedLayer): Promise<boolean> {
    const places = [
      blobPath(this.#dataDir, layer.digest),
      path.join(this.#unpacked, layerDirName(layer.diffId)),
    ];
    return (await Promise.all(places.map(exists))).every((yes) => yes);
  }

  /**
   * Removes unpacked layers and blobs that are not to be kept. `needed` is asked while nothing is put in place; when it
   * fails, nothing is removed.
   */
  collect(
    needed: () => Promise<{ layerDirs: ReadonlySet<string>; blobs: ReadonlySet<string> }>,
  ): Promise<number> {
    return this.#lock.run(async () => {
      if (!this.#isOwn) return 0;
      const { layerDirs, blobs } = await needed();
      const held = new Set([...this.#holds].flatMap((each) => [...each]));
      const keptDirs = new Set(layerDirs);
      const keptBlobs = new Set(blobs);
      for (const diffId of held) keptDirs.add(layerDirName(diffId));
      for (const layer of this.#layers.values()) {
        if (keptDirs.has(layerDirName(layer.diffId))) keptBlobs.add(layer.digest);
      }
      const removed = await this.#removeLayers(keptDirs);
      await this.#removeBlobs(keptBlobs);
      return removed;
    });
  }

  async #removeLayers(kept: ReadonlySet<string>): Promise<number> {
    const doomed = (await namesIn(this.#unpacked)).filter((name) => !kept.has(name));
    for (const diffId of [...this.#layers.keys()]) {
      if (!kept.has(layerDirName(diffId))) this.#layers.delete(diffId);
    }
    for (const name of await namesIn(this.#records)) {
      if (!kept.has(name.replace(/\.json$/, '')))
        await fs.rm(path.join(this.#records, name), { force: true });
    }
    for (const name of doomed) {
      // out of the sandboxes' sight at once; a crash leaves it in what is emptied at the start
      await fs.mkdir(this.#staging, { recursive: true, mode: 0o755 });
      const grave = path.join(this.#staging, `gone-${randomBytes(8).toString('hex')}`);
      await fs.rename(path.join(this.#unpacked, name), grave);
      await fs.rm(grave, { recursive: true, force: true }).catch((error: unknown) => {
        this.#log.warn({ layer: name }, `a shared layer could not be removed: ${messageOf(error)}`);
      });
    }
    return doomed.length;
  }

  async #removeBlobs(kept: ReadonlySet<string>): Promise<void> {
    const directory = path.join(imagesDir(this.#dataDir), 'blobs', 'sha256');
    for (const name of await namesIn(directory)) {
      if (!kept.has(`sha256:${name}`)) await fs.rm(path.join(directory, name), { force: true });
    }
  }

  get #staging(): string {
    return path.join(imagesDir(this.#dataDir), 'staging');
  }
  get #records(): string {
    return path.join(imagesDir(this.#dataDir), 'shared');
  }
  get #unpacked(): string {
    return path.join(imagesDir(this.#dataDir), 'layers');
  }
}

/** A shared layer as images have it. */
export function asCatalogueLayer(layer: SharedLayer): CatalogueLayer {
  return { ...layer, dirName: layerDirName(layer.diffId) };
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

async function namesIn(directory: string): Promise<string[]> {
  return fs.readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

function exists(file: string): Promise<boolean> {
  return fs.lstat(file).then(
    () => true,
    () => false,
  );
}

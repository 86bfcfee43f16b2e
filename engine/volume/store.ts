// The volumes of one sandbox: recorded in a file each, changed by one at a time, and who uses them.

import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { Conflict, NotFound } from '../errors.ts';
import { Mutex } from '../sandbox/mutex.ts';
import { readJsonDir, writeJsonFile } from '../store/json-file.ts';
import { VolumeRecord } from './record.ts';

/** Volumes one sandbox may have, so that a loop of `docker volume create` cannot fill the engine's memory. */
const MAX_VOLUMES = 1000;
/** Characters of all records together, for the same reason: labels are as long as students make them. */
const MAX_RECORDS = 4 * 2 ** 20;

/** Owns the records of volumes. */
export class VolumeStore {
  readonly #directory: string;
  readonly #usersOf: (name: string) => string[];
  readonly #records = new Map<string, VolumeRecord>();
  readonly #sizes = new Map<string, number>();
  readonly #locks = new Map<string, { mutex: Mutex; waiting: number }>();

  /** @param usersOf ids of the containers that mount a volume, whether they run or not */
  private constructor(directory: string, usersOf: (name: string) => string[]) {
    this.#directory = directory;
    this.#usersOf = usersOf;
  }

  /** Reads the records. One that is damaged is reported and left out. */
  static async open(
    stateDir: string,
    usersOf: (name: string) => string[],
    onBad: (error: Error) => void,
  ): Promise<VolumeStore> {
    const store = new VolumeStore(path.join(stateDir, 'volumes'), usersOf);
    for (const record of (await readJsonDir(store.#directory, VolumeRecord, onBad)).values()) {
      store.#keep(record);
    }
    return store;
  }

  /** Those that are there, by name. */
  list(): VolumeRecord[] {
    return this.all()
      .filter((volume) => volume.state === 'ready')
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Also those that are being made or removed. */
  all(): VolumeRecord[] {
    return [...this.#records.values()];
  }

  find(name: string): VolumeRecord | undefined {
    const volume = this.#records.get(name);
    return volume?.state === 'ready' ? volume : undefined;
  }

  /** Throws NotFound in Docker's words. */
  get(name: string): VolumeRecord {
    const volume = this.find(name);
    if (!volume) throw new NotFound(`get ${name}: no such volume`);
    return volume;
  }

  /** Ids of the containers that mount it. */
  users(name: string): string[] {
    return this.#usersOf(name);
  }

  /** Runs `work` while nobody else makes, fills, mounts or removes any of these volumes. */
  exclusively<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    // Always in the same order, so that two who want the same volumes never wait for each other.
    const [first, ...rest] = [...new Set(names)].sort();
    if (first === undefined) return work();
    const lock = this.#locks.get(first) ?? { mutex: new Mutex(), waiting: 0 };
    this.#locks.set(first, lock);
    lock.waiting++;
    return lock.mutex
      .run(() => this.exclusively(rest, work))
      .finally(() => {
        if (--lock.waiting === 0) this.#locks.delete(first);
      });
  }

  /** Records a volume or a change of it. Throws Conflict when there are too many. */
  async write(record: VolumeRecord): Promise<void> {
    if (!this.#records.has(record.name)) {
      if (this.#records.size >= MAX_VOLUMES) {
        throw new Conflict(
          `this lab host has ${MAX_VOLUMES} volumes; remove some (docker volume prune --all)`,
        );
      }
      const total = [...this.#sizes.values()].reduce((sum, size) => sum + size, sizeOf(record));
      if (total > MAX_RECORDS) throw new Conflict('the volumes of this lab host have too large labels');
    }
    const before = this.#records.get(record.name);
    this.#keep(record);
    try {
      await writeJsonFile(this.#file(record.name), record);
    } catch (error) {
      if (before) this.#keep(before);
      else this.#drop(record.name);
      throw error;
    }
  }

  async remove(name: string): Promise<void> {
    await rm(this.#file(name), { force: true });
    this.#drop(name);
  }

  #keep(record: VolumeRecord): void {
    this.#records.set(record.name, record);
    this.#sizes.set(record.name, sizeOf(record));
  }

  #drop(name: string): void {
    this.#records.delete(name);
    this.#sizes.delete(name);
  }

  /** A name may be as long as a file name, so the record's file is called otherwise. */
  #file(name: string): string {
    return path.join(this.#directory, `${createHash('sha256').update(name).digest('hex')}.json`);
  }
}

function sizeOf(record: VolumeRecord): number {
  return JSON.stringify(record).length;
}

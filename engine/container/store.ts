// The containers of one sandbox: found by id, short id or name, and each recorded in a file of its own.

import { rm } from 'node:fs/promises';
import path from 'node:path';
import { Conflict, InvalidParameter, NotFound } from '../errors.ts';
import { compareTimes } from '../events/clock.ts';
import { readJsonDir, writeJsonFile } from '../store/json-file.ts';
import { Container } from './container.ts';
import { randomName, validName } from './id.ts';
import { ContainerRecord } from './record.ts';

/** Containers one sandbox may have, so that a loop of `docker create` cannot fill the engine's memory. */
const MAX_CONTAINERS = 1000;
/** Bytes of all records together, for the same reason: labels and environments may be large. */
const MAX_RECORDS = 16 * 2 ** 20;

export class ContainerStore {
  private readonly byId = new Map<string, Container>();
  private readonly names = new Map<string, string>();
  private readonly sizes = new Map<string, number>();

  private constructor(private readonly directory: string) {}

  /** Reads the records. One that is damaged is reported and left out. */
  static async open(stateDir: string, onBad: (error: Error) => void): Promise<ContainerStore> {
    const store = new ContainerStore(path.join(stateDir, 'containers'));
    for (const record of (await readJsonDir(store.directory, ContainerRecord, onBad)).values()) {
      store.byId.set(record.id, new Container(record));
      store.sizes.set(record.id, JSON.stringify(record).length);
      store.names.set(record.name, record.id);
    }
    return store;
  }

  /** All, newest first. */
  list(): Container[] {
    return [...this.byId.values()].sort((a, b) => compareTimes(b.record.created, a.record.created));
  }

  /** The container with this full id, if there is one. */
  byFullId(id: string): Container | undefined {
    return this.byId.get(id);
  }

  /** As `get`, but undefined when there is none. */
  find(reference: string): Container | undefined {
    try {
      return this.get(reference);
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }

  /** By full id, name, or unambiguous start of the id, in Docker's order. Throws NotFound. */
  get(reference: string): Container {
    const exact =
      this.byId.get(reference) ?? this.byId.get(this.names.get(reference.replace(/^\//, '')) ?? '');
    if (exact) return exact;
    if (reference === '') throw new InvalidParameter('No container name or ID supplied');
    const matches = /^[0-9a-f]+$/.test(reference)
      ? [...this.byId.keys()].filter((id) => id.startsWith(reference))
      : [];
    if (matches.length > 1) {
      throw new InvalidParameter(`multiple IDs found with provided prefix: ${reference}`);
    }
    const found = this.byId.get(matches[0] ?? '');
    if (!found) throw new NotFound(`No such container: ${reference}`);
    return found;
  }

  /** Takes a name for an id: the user's, or a random one. Throws Conflict when it is taken. */
  reserveName(wanted: string | undefined, id: string): string {
    if (this.byId.size >= MAX_CONTAINERS) {
      throw new Conflict(
        `this lab host has ${MAX_CONTAINERS} containers; remove some (docker container prune)`,
      );
    }
    const name = wanted ? validName(wanted) : randomName((each) => this.names.has(each));
    const owner = this.names.get(name);
    if (owner !== undefined) {
      throw new Conflict(
        `Conflict. The container name "/${name}" is already in use by container "${owner}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
    }
    this.names.set(name, id);
    return name;
  }

  releaseName(name: string): void {
    this.names.delete(name);
  }

  /** Adds a container whose name is reserved, once it is recorded. */
  async add(record: ContainerRecord): Promise<Container> {
    const size = JSON.stringify(record).length;
    const total = [...this.sizes.values()].reduce((sum, each) => sum + each, size);
    if (total > MAX_RECORDS) {
      throw new Conflict('the containers of this lab host have too large configurations; remove some');
    }
    this.sizes.set(record.id, size);
    await this.write(record);
    const container = new Container(record);
    this.byId.set(record.id, container);
    return container;
  }

  /** Records a change, and only then makes it the container's state. */
  async update(container: Container, change: Partial<ContainerRecord>): Promise<void> {
    const record = { ...container.record, ...change };
    await this.write(record);
    container.record = record;
  }

  async remove(container: Container): Promise<void> {
    await rm(this.file(container.id), { force: true });
    this.byId.delete(container.id);
    this.sizes.delete(container.id);
    if (this.names.get(container.record.name) === container.id) this.names.delete(container.record.name);
  }

  private write(record: ContainerRecord): Promise<void> {
    return writeJsonFile(this.file(record.id), record);
  }

  private file(id: string): string {
    return path.join(this.directory, `${id}.json`);
  }
}

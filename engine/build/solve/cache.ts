// The build cache of a sandbox: which results there are, by what they are found, and which of them go when.

import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { Logger } from '../../log.ts';
import type { InitApi, Step } from '../../sandbox/init-types.ts';
import { IN_SANDBOX } from '../../sandbox/sandbox.ts';
import { readJsonFile, writeJsonText } from '../../store/json-file.ts';
import type { Snapshot, StepLayer } from '../execute/snapshot.ts';
import type { VertexStatus } from '../progress.ts';
import type { StepKey } from './keys.ts';
import { buildDirectory, type KeptRecord, KeptRecords, keep, type Result } from './record.ts';

/** Results that are kept at most; the oldest go first. */
const RECORDS_MAX = 2_000;
const ALIASES_MAX = 64;

type MissReason = NonNullable<VertexStatus['missReason']>;

/** Owns the records of one sandbox's build cache. */
export class BuildCache {
  readonly #file: string;
  readonly #init: InitApi;
  readonly #log: Logger;
  readonly #results = new Map<string, Result>();
  readonly #byKey = new Map<string, string>();
  /** how many builds use a result right now */
  readonly #users = new Map<string, number>();
  #isDirty = false;
  #writing: Promise<void> | undefined;

  private constructor(file: string, init: InitApi, log: Logger) {
    this.#file = file;
    this.#init = init;
    this.#log = log;
  }

  /** Reads the records; those of another version, or damaged ones, are no reason not to start. */
  static async open(stateDir: string, init: InitApi, log: Logger): Promise<BuildCache> {
    const cache = new BuildCache(path.join(stateDir, 'build-cache.json'), init, log);
    const kept = await readJsonFile(cache.#file, KeptRecords).catch((error: unknown) => {
      log.warn({ err: error }, 'the build cache is dropped');
      return undefined;
    });
    const layers = new Map<string, StepLayer>();
    for (const record of kept?.records ?? []) cache.#insert(restore(record, layers));
    return cache;
  }

  /** The result of a key or an alias. */
  find(key: string): Result | undefined {
    const id = this.#byKey.get(key);
    return id === undefined ? undefined : this.#results.get(id);
  }

  /** Counts a use, and remembers by what the result was found. */
  use(result: Result, alias: string): void {
    result.lastUsed = Date.now();
    result.uses += 1;
    if (alias !== result.key && this.#byKey.get(alias) !== result.id) {
      result.aliases = [...result.aliases.filter((each) => each !== alias), alias].slice(-ALIASES_MAX);
      this.#byKey.set(alias, result.id);
    }
    this.changed();
  }

  add(made: StepKey & { alias: string; description: string; snapshot: Snapshot }): Result {
    const now = Date.now();
    const result: Result = {
      id: newId(),
      description: made.description.slice(0, 4096),
      key: made.key,
      aliases: made.alias === made.key ? [] : [made.alias],
      operation: made.operation,
      root: made.root,
      layers: made.snapshot.layers,
      created: now,
      lastUsed: now,
      uses: 1,
    };
    this.#insert(result);
    this.changed();
    return result;
  }

  /** Nothing takes the result away until the function that this gives is called. */
  hold(result: Result): () => void {
    this.#users.set(result.id, (this.#users.get(result.id) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const left = (this.#users.get(result.id) ?? 1) - 1;
      if (left > 0) this.#users.set(result.id, left);
      else this.#users.delete(result.id);
    };
  }

  isHeld(result: Result): boolean {
    return this.#users.has(result.id);
  }

  results(): Result[] {
    return [...this.#results.values()];
  }

  /** Why a result that was looked for is not there. */
  missReason({ operation, root }: StepKey): MissReason {
    let isRootKnown = false;
    let isOperationKnown = false;
    for (const result of this.#results.values()) {
      if (result.operation === operation && result.root === root) return 'files-changed';
      isOperationKnown ||= result.operation === operation;
      isRootKnown ||= root !== '' && result.root === root;
    }
    if (isOperationKnown) return 'input-changed';
    return isRootKnown ? 'definition-changed' : 'first-time';
  }

  /** Where the layers lie that results need, below Docker's root. */
  usedLayers(): Set<string> {
    return new Set(this.results().flatMap(({ layers }) => layers.map(({ location }) => location)));
  }

  /** Removes results, and the layers that nothing else of the cache needs. Layers of images are not its own. */
  async remove(results: readonly Result[]): Promise<void> {
    const before = this.#directories();
    for (const { id, key, aliases } of results) {
      this.#results.delete(id);
      for (const each of [key, ...aliases]) if (this.#byKey.get(each) === id) this.#byKey.delete(each);
    }
    const after = this.#directories();
    const gone = [...before].filter((directory) => !after.has(directory));
    // forgotten first: after a crash what nobody knows is removed
    await this.flush();
    if (gone.length > 0) {
      await this.#init.start(
        gone.map((each): Step => ({ kind: 'rmtree', path: `${IN_SANDBOX.dockerRoot}/${each}` })),
      );
    }
  }

  #directories(): Set<string> {
    return new Set(
      this.results().flatMap(({ layers }) => layers.flatMap((layer) => buildDirectory(layer) ?? [])),
    );
  }

  /** At the engine's start: forgets results whose layers are gone. */
  async forgetUnless(isThere: (layer: StepLayer) => boolean): Promise<void> {
    const lost = this.results().filter(({ layers }) => !layers.every(isThere));
    if (lost.length > 0) this.#log.warn({ results: lost.length }, 'layers of the build cache are gone');
    await this.remove(lost);
  }

  /** Ids of the layers that are the cache's alone: directories below `buildkit`. */
  layerIds(): Set<string> {
    return new Set([...this.#directories()].map((directory) => path.posix.basename(directory)));
  }

  /** Records are written soon. */
  changed(): void {
    this.#isDirty = true;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    this.#writing.catch((error: unknown) =>
      this.#log.warn({ err: error }, 'the build cache is not recorded'),
    );
  }

  /** All changes so far are on disk. */
  async flush(): Promise<void> {
    this.changed();
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    // one moment for the steps that end together
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#isDirty) {
      this.#isDirty = false;
      await writeJsonText(this.#file, JSON.stringify({ version: 1, records: this.results().map(keep) }));
    }
  }

  #insert(result: Result): void {
    this.#results.set(result.id, result);
    for (const each of [...result.aliases, result.key]) this.#byKey.set(each, result.id);
  }

  /** What is too much: the results that were not used for longest. */
  surplus(): Result[] {
    const results = this.results().filter((result) => !this.isHeld(result));
    const count = this.#results.size - RECORDS_MAX;
    return count <= 0 ? [] : results.sort((a, b) => a.lastUsed - b.lastUsed).slice(0, count);
  }
}

function restore({ layers, ...record }: KeptRecord, known: Map<string, StepLayer>): Result {
  return {
    ...record,
    layers: layers.map((kept) => {
      const layer = known.get(kept.location) ?? {
        location: kept.location,
        diffId: kept.diffId,
        created: kept.created,
        size: kept.size,
      };
      known.set(kept.location, layer);
      return layer;
    }),
  };
}

/** BuildKit's ids are 25 digits and letters. */
function newId(): string {
  const number = BigInt(`0x${randomBytes(17).toString('hex')}`);
  return number.toString(36).padStart(25, '0').slice(-25);
}

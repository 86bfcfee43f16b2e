// One build's way through its graph.

import { randomBytes } from 'node:crypto';
import { messageOf } from '../../errors.ts';
import type { BuildRequest } from '../build.ts';
import { BuildError } from '../error.ts';
import type { StepResult } from '../execute/executor.ts';
import type { Snapshot } from '../execute/snapshot.ts';
import type { Vertex } from '../graph.ts';
import type { BuildEvent, VertexStatus } from '../progress.ts';
import { ContextIndex } from './content-key.ts';
import { copiedKey, copiesFromSteps, type InputKey, imageKey, type StepKey, stepKey } from './keys.ts';
import type { Result } from './record.ts';
import type { SolverParts } from './solver.ts';

/** A step's result, and the key by which later steps know it. */
interface Resolved {
  readonly result: StepResult;
  readonly key: InputKey;
}

/** Nanoseconds since the epoch. */
function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

export class Solve {
  readonly #vertices: ReadonlyMap<string, Vertex>;
  readonly #build: BuildRequest;
  readonly #parts: SolverParts;
  readonly #failure = new AbortController();
  readonly #signal: AbortSignal;
  readonly #resolving = new Map<string, Promise<Resolved>>();
  readonly #definitions = new Map<string, Promise<InputKey>>();
  readonly #doneAnew = new Map<string, boolean>();
  readonly #shown = new Set<string>();
  readonly #releases: (() => void | Promise<void>)[] = [];
  #firstError: { error: unknown } | undefined;

  constructor(vertices: readonly Vertex[], build: BuildRequest, parts: SolverParts) {
    this.#vertices = new Map(vertices.map((vertex) => [vertex.digest, vertex]));
    this.#build = build;
    this.#parts = parts;
    this.#signal = AbortSignal.any([build.signal, this.#failure.signal]);
  }

  async run(root: Vertex): Promise<StepResult> {
    for (const vertex of this.#vertices.values()) this.#tell(vertex, {});
    try {
      return (await this.#resolve(root)).result;
    } catch (error) {
      this.#fail(error);
      await Promise.allSettled([...this.#resolving.values(), ...this.#definitions.values()]);
      throw this.#build.signal.aborted ? this.#build.signal.reason : (this.#firstError?.error ?? error);
    }
  }

  async release(): Promise<void> {
    for (const release of this.#releases.splice(0)) await release();
  }

  #fail(error: unknown): void {
    this.#firstError ??= { error };
    this.#failure.abort(error);
  }

  #tell(vertex: Vertex, status: Partial<VertexStatus>): void {
    const { digest, name, inputs } = vertex;
    this.#build.onProgress({
      type: 'vertex',
      digest,
      name,
      inputs: inputs.map((input) => input.digest),
      isCached: false,
      error: '',
      ...status,
    });
  }

  #resolve(vertex: Vertex): Promise<Resolved> {
    let resolving = this.#resolving.get(vertex.digest);
    if (resolving === undefined) {
      resolving = this.#resolveOnce(this.#vertices.get(vertex.digest) ?? vertex);
      resolving.catch(() => undefined);
      this.#resolving.set(vertex.digest, resolving);
    }
    return resolving;
  }

  async #resolveOnce(vertex: Vertex): Promise<Resolved> {
    this.#signal.throwIfAborted();
    const { kind } = vertex.operation;
    if (kind === 'local' || kind === 'image') return this.#fetch(vertex);
    const definition = await this.#definitionKey(vertex);
    const alias = definition.kind === 'step' ? definition.key : '';
    const known = this.#isDoneAnew(vertex) ? undefined : this.#parts.cache.find(alias);
    if (known !== undefined) return this.#reuse(vertex, known, alias);

    const inputs = await Promise.all(vertex.inputs.map((input) => this.#resolve(input)));
    const key = stepKey(
      vertex.operation,
      inputs.map((input) => input.key),
    );
    const same = vertex.ignoresCache || key.key === alias ? undefined : this.#parts.cache.find(key.key);
    if (same !== undefined) return this.#reuse(vertex, same, alias);
    return this.#make(vertex, key, alias, inputs);
  }

  /** Sources are quick, and the cache does not know them: a client's files are of this build only. */
  async #fetch(vertex: Vertex): Promise<Resolved> {
    const result = await this.#show(vertex, {}, (signal) =>
      this.#parts.executor.run({ vertex, inputs: [], build: this.#build, signal }),
    );
    if (result.kind === 'local') {
      this.#releases.push(() => result.context.release());
      return { result, key: { kind: 'local', index: new ContextIndex(result.context.entries) } };
    }
    const { operation } = vertex;
    return {
      result,
      key: { kind: 'step', key: operation.kind === 'image' ? imageKey(operation.imageId) : vertex.digest },
    };
  }

  /** The key by what the Dockerfile says and the client's files are: nothing has to be done for it. */
  #definitionKey(vertex: Vertex): Promise<InputKey> {
    let key = this.#definitions.get(vertex.digest);
    if (key === undefined) {
      key = this.#makeDefinitionKey(vertex);
      key.catch(() => undefined);
      this.#definitions.set(vertex.digest, key);
    }
    return key;
  }

  /** It is asked for, or what it builds on is: then only what that really yields can tell. */
  #isDoneAnew(vertex: Vertex): boolean {
    let isAnew = this.#doneAnew.get(vertex.digest);
    if (isAnew === undefined) {
      const { ignoresCache, inputs } = this.#vertices.get(vertex.digest) ?? vertex;
      isAnew = ignoresCache || inputs.some((input) => this.#isDoneAnew(input));
      this.#doneAnew.set(vertex.digest, isAnew);
    }
    return isAnew;
  }

  async #makeDefinitionKey(vertex: Vertex): Promise<InputKey> {
    const { operation } = vertex;
    if (operation.kind === 'local') return (await this.#resolve(vertex)).key;
    if (operation.kind === 'image') return { kind: 'step', key: imageKey(operation.imageId) };
    const inputs = await Promise.all(vertex.inputs.map((input) => this.#definitionKey(input)));
    return { kind: 'step', key: stepKey(operation, inputs).key };
  }

  #reuse(vertex: Vertex, known: Result, alias: string): Resolved {
    this.#releases.push(this.#parts.cache.hold(known));
    this.#parts.cache.use(known, alias);
    this.#showCached(vertex);
    return resolved(known);
  }

  /** What a known result was made of is shown as known as well, as BuildKit does. */
  #showCached(vertex: Vertex): void {
    const waiting = [vertex];
    const chain: Vertex[] = [];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (this.#shown.has(next.digest)) continue;
      this.#shown.add(next.digest);
      chain.push(next);
      waiting.push(...next.inputs.map((input) => this.#vertices.get(input.digest) ?? input));
    }
    const time = now();
    for (const each of chain.reverse()) {
      // A source is no result of the cache: BuildKit shows an image that is there as done.
      const isCached = each.operation.kind !== 'image';
      this.#tell(each, { isCached, started: time, completed: time });
    }
  }

  async #make(vertex: Vertex, key: StepKey, alias: string, inputs: readonly Resolved[]): Promise<Resolved> {
    const { cache, flights, slots, executor } = this.#parts;
    const missReason = vertex.ignoresCache ? 'no-cache' : cache.missReason(key);
    // what is done anew although it is known is something else for what builds on it
    const made = vertex.ignoresCache ? { ...key, key: randomBytes(32).toString('hex') } : key;
    let wasThere = false;
    const result = await slots.run(() =>
      this.#show(
        vertex,
        { missReason },
        (signal) => {
          const member = { vertex: vertex.digest, onProgress: this.#build.onProgress, signal };
          return flights.join(
            made.key,
            member,
            async (onProgress: (event: BuildEvent) => void, flightSignal) => {
              const done = await executor.run({
                vertex,
                inputs: inputs.map((input) => input.result),
                build: { ...this.#build, onProgress },
                signal: flightSignal,
              });
              if (done.kind !== 'files') throw new Error('a step must yield files');
              const same = await this.#sameCopy(vertex, made, inputs, done.snapshot, flightSignal);
              wasThere = same.known !== undefined;
              const { snapshot } = done;
              const added =
                same.known ??
                cache.add({ ...made, key: same.key, alias, description: describe(vertex), snapshot });
              this.#releases.push(cache.hold(added));
              if (added.key !== made.key) cache.use(added, made.key);
              if (same.known) cache.use(added, alias);
              return added;
            },
          );
        },
        () => (wasThere ? { isCached: true } : {}),
      ),
    );
    this.#releases.push(cache.hold(result));
    return resolved(result);
  }

  /** What was copied from other steps may be there already, whatever made them: then that is taken, and this goes. */
  async #sameCopy(
    vertex: Vertex,
    made: StepKey,
    inputs: readonly Resolved[],
    snapshot: Snapshot,
    signal: AbortSignal,
  ): Promise<{ key: string; known?: Result }> {
    const { cache, executor } = this.#parts;
    const keys = inputs.map((input) => input.key);
    if (vertex.ignoresCache || !copiesFromSteps(vertex.operation, keys)) return { key: made.key };
    const key = copiedKey(made, await executor.layerDigest(snapshot, signal));
    const known = cache.find(key);
    if (known === undefined) return { key };
    this.#releases.push(cache.hold(known));
    await executor.discard(snapshot);
    return { key, known };
  }

  /** Shows a step from its beginning to its end. */
  async #show<T>(
    vertex: Vertex,
    status: Partial<VertexStatus>,
    work: (signal: AbortSignal) => Promise<T>,
    atEnd: () => Partial<VertexStatus> = () => ({}),
  ): Promise<T> {
    this.#signal.throwIfAborted();
    this.#shown.add(vertex.digest);
    const started = now();
    this.#tell(vertex, { ...status, started });
    try {
      const result = await work(this.#signal);
      this.#tell(vertex, { ...status, ...atEnd(), started, completed: now() });
      return result;
    } catch (error) {
      const isOthersFault = this.#signal.aborted;
      const located = isOthersFault ? error : withPlace(error, vertex);
      const words = isOthersFault ? 'context canceled' : messageOf(located);
      this.#tell(vertex, { ...status, started, completed: now(), error: words });
      if (!isOthersFault) this.#fail(located);
      throw located;
    }
  }
}

function resolved(result: Result): Resolved {
  return {
    result: { kind: 'files', snapshot: { layers: result.layers } },
    key: { kind: 'step', key: result.key },
  };
}

/** Errors carry the place of the instruction that they are about. */
function withPlace(error: unknown, { source }: Vertex): unknown {
  if (!(error instanceof BuildError) || error.source !== undefined || source === undefined) return error;
  return new BuildError(error.message, source, { cause: error });
}

/** A step's name without its stage and number. */
function describe({ name }: Vertex): string {
  return name.replace(/^\[[^\]]*\] /, '');
}

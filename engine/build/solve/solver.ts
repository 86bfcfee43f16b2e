// Solves the graph of one build: every vertex once, those that do not wait for each other at the same time.

import { createHash } from 'node:crypto';
import { messageOf } from '../../errors.ts';
import { nowNanos } from '../../events/clock.ts';
import type { BuildRequest } from '../build.ts';
import type { ContextEntry } from '../context.ts';
import type { Executor, StepResult } from '../execute/executor.ts';
import type { Vertex } from '../graph.ts';
import type { VertexStatus } from '../progress.ts';
import type { StepCache } from './cache.ts';
import { contentKey } from './content-key.ts';
import { Semaphore } from './semaphore.ts';

/** A vertex's result, and the key that says what it was made of. */
interface Solved {
  result: StepResult;
  key: string;
}

/** steps of one build that run at the same time */
const PARALLEL_STEPS = 4;

export class Solver {
  readonly #executor: Executor;
  readonly #cache: StepCache;
  readonly #build: BuildRequest;
  readonly #solved = new Map<string, Promise<Solved>>();
  readonly #running = new Semaphore(PARALLEL_STEPS);
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  readonly #contexts: StepResult[] = [];

  constructor(executor: Executor, cache: StepCache, build: BuildRequest) {
    this.#executor = executor;
    this.#cache = cache;
    this.#build = build;
    this.#signal = AbortSignal.any([build.signal, this.#ending.signal]);
  }

  /** The file system that a vertex yields. The first error ends everything else. */
  async solve(vertex: Vertex): Promise<StepResult> {
    try {
      return (await this.#once(vertex)).result;
    } catch (error) {
      this.#ending.abort(error);
      await Promise.allSettled(this.#solved.values());
      throw error;
    }
  }

  /** Ends the use of the client's files. */
  async dispose(): Promise<void> {
    await Promise.all(
      this.#contexts.map((result) => (result.kind === 'local' ? result.context.release() : undefined)),
    );
  }

  #once(vertex: Vertex): Promise<Solved> {
    const known = this.#solved.get(vertex.digest);
    if (known) return known;
    const solving = this.#solve(vertex);
    solving.catch(() => undefined);
    this.#solved.set(vertex.digest, solving);
    return solving;
  }

  async #solve(vertex: Vertex): Promise<Solved> {
    const inputs = await Promise.all(vertex.inputs.map((input) => this.#once(input)));
    this.#signal.throwIfAborted();
    const status = (more: Partial<VertexStatus>) => {
      const { digest, name } = vertex;
      const about = {
        digest,
        name,
        inputs: vertex.inputs.map((input) => input.digest),
        isCached: false,
        error: '',
      };
      this.#build.onProgress({ ...about, ...more, type: 'vertex' });
    };
    const { operation } = vertex;
    if (operation.kind === 'local') {
      const result = await this.#run(vertex, [], status);
      this.#contexts.push(result);
      return { result, key: '' };
    }
    if (operation.kind === 'image') {
      const result = await this.#run(vertex, [], status);
      return { result, key: hash('image', operation.imageId) };
    }
    const key = hash(
      describe(vertex),
      ...inputs.map(({ result, key }, index) =>
        result.kind === 'local' ? contentKey(operation, index, entriesOf(result)) : key,
      ),
    );
    const results = inputs.map(({ result }) => result);
    const run = async () => ({ result: await this.#run(vertex, results, status), key });
    const known = vertex.ignoresCache ? undefined : this.#cache.find(key);
    if (known) {
      const now = nowNanos();
      status({ isCached: true, started: now, completed: now });
      return { result: { kind: 'files', snapshot: known }, key };
    }
    const missReason = vertex.ignoresCache
      ? 'no-cache'
      : this.#cache.missReason(
          vertex,
          inputs.map((input) => input.key),
        );
    const solved = await this.#cache.flight(key, vertex.ignoresCache, run, () =>
      status({ started: nowNanos(), missReason }),
    );
    if (solved.result.kind === 'files') {
      this.#cache.add({
        key,
        vertex,
        inputs: inputs.map((input) => input.key),
        snapshot: solved.result.snapshot,
      });
    }
    return solved;
  }

  #run(
    vertex: Vertex,
    inputs: readonly StepResult[],
    status: (more: Partial<VertexStatus>) => void,
  ): Promise<StepResult> {
    return this.#running.run(async () => {
      this.#signal.throwIfAborted();
      const started = nowNanos();
      status({ started });
      try {
        const result = await this.#executor.run({ vertex, inputs, build: this.#build, signal: this.#signal });
        status({ started, completed: nowNanos() });
        return result;
      } catch (error) {
        const isCancelled = this.#signal.aborted;
        status({
          started,
          completed: nowNanos(),
          error: isCancelled ? 'context canceled' : messageOf(error),
        });
        throw error;
      }
    });
  }
}

function entriesOf(result: StepResult): readonly ContextEntry[] {
  return result.kind === 'local' ? result.context.entries : [];
}

function hash(...parts: string[]): string {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(`${part.length}:${part}`);
  return `sha256:${sum.digest('hex')}`;
}

/** What is done, without what it is done to. */
function describe({ operation }: Vertex): string {
  if (operation.kind !== 'exec') return JSON.stringify(operation);
  return JSON.stringify({ ...operation, proxyEnv: [] });
}

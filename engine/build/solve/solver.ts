// Solves the graph of a build: what is known is taken from the cache, the rest is done, side by side where it can be.

import type { BuildRequest } from '../build.ts';
import { BuildError } from '../error.ts';
import type { StepCall, StepResult } from '../execute/executor.ts';
import type { Snapshot } from '../execute/snapshot.ts';
import type { Vertex } from '../graph.ts';
import type { BuildCache } from './cache.ts';
import { Flights } from './flights.ts';
import { STEPS_AT_ONCE, STEPS_MAX } from './limits.ts';
import type { Result } from './record.ts';
import { Semaphore } from './semaphore.ts';
import { Solve } from './solve.ts';

/** Does one step (engine/build/execute). */
export interface StepExecutor {
  run(call: StepCall): Promise<StepResult>;
  /** what a step's new layer has in it, times apart */
  layerDigest(snapshot: Snapshot, signal: AbortSignal): Promise<string>;
  /** takes away the new layer of a step, which nobody else knows yet */
  discard(snapshot: Snapshot): Promise<void>;
}

/** What all builds of a sandbox share. */
export interface SolverParts {
  readonly executor: StepExecutor;
  readonly cache: BuildCache;
  readonly flights: Flights<Result>;
  readonly slots: Semaphore;
}

/** A solved graph: its end, and what keeps its results until the build is over. */
export interface Solved {
  readonly result: StepResult;
  /** lets the cache and the front have back what the build used */
  release(): Promise<void>;
}

export class Solver {
  readonly #parts: SolverParts;

  constructor({ executor, cache }: Pick<SolverParts, 'executor' | 'cache'>) {
    this.#parts = { executor, cache, flights: new Flights(), slots: new Semaphore(STEPS_AT_ONCE) };
  }

  /**
   * Solves what `root` needs. Events of the steps go to the build's listener. Throws what the first failing step threw, once
   * all the others have ended.
   */
  async solve(root: Vertex, build: BuildRequest): Promise<Solved> {
    const vertices = listVertices(root);
    const solve = new Solve(vertices, build, this.#parts);
    try {
      const result = await solve.run(root);
      return { result, release: () => solve.release() };
    } catch (error) {
      await solve.release();
      throw error;
    }
  }
}

/** All vertices, inputs first; the same step once, whatever its name. */
function listVertices(root: Vertex): Vertex[] {
  const listed = new Map<string, Vertex>();
  const waiting: { vertex: Vertex; isDone: boolean }[] = [{ vertex: root, isDone: false }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { vertex, isDone } = next;
    if (listed.has(vertex.digest)) continue;
    if (isDone) {
      listed.set(vertex.digest, vertex);
      if (listed.size > STEPS_MAX) throw new BuildError(`the build has more than ${STEPS_MAX} steps`);
      continue;
    }
    waiting.push({ vertex, isDone: true });
    for (const input of [...vertex.inputs].reverse()) {
      if (!listed.has(input.digest)) waiting.push({ vertex: input, isDone: false });
    }
  }
  return [...listed.values()];
}

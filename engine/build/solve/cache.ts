// Results of steps by what they were made of.

import type { Snapshot } from '../execute/snapshot.ts';
import type { Vertex } from '../graph.ts';
import type { VertexStatus } from '../progress.ts';

/** One result. */
export interface CachedStep {
  key: string;
  vertex: Vertex;
  /** keys of what it was done to */
  inputs: readonly string[];
  snapshot: Snapshot;
}

export type MissReason = NonNullable<VertexStatus['missReason']>;

export class StepCache {
  readonly #steps = new Map<string, CachedStep>();
  readonly #flights = new Map<string, Promise<unknown>>();

  find(key: string): Snapshot | undefined {
    return this.#steps.get(key)?.snapshot;
  }

  add(step: CachedStep): void {
    this.#steps.set(step.key, step);
  }

  steps(): CachedStep[] {
    return [...this.#steps.values()];
  }

  /** Why a result is not there. */
  missReason(vertex: Vertex, inputs: readonly string[]): MissReason {
    const all = this.steps();
    if (all.some((step) => step.vertex.digest === vertex.digest)) {
      const hasFiles = vertex.inputs.some(({ operation }) => operation.kind === 'local');
      return hasFiles ? 'files-changed' : 'input-changed';
    }
    const [first] = inputs;
    const isSibling = (step: CachedStep) =>
      step.inputs[0] === first && step.vertex.operation.kind === vertex.operation.kind;
    if (first !== undefined && all.some(isSibling)) return 'definition-changed';
    const isSame = (step: CachedStep) => stepText(step.vertex) === stepText(vertex);
    return all.some(isSame) ? 'input-changed' : 'first-time';
  }

  /** Runs what makes a result once, for all builds that want it at the same time. */
  async flight<T>(key: string, isAlone: boolean, run: () => Promise<T>, _wait: () => void): Promise<T> {
    if (isAlone) return run();
    const flying = this.#flights.get(key);
    if (flying) await flying.catch(() => undefined);
    const mine = run();
    this.#flights.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#flights.get(key) === mine) this.#flights.delete(key);
    }
  }
}

/** `RUN make`, without the stage and the numbers. */
function stepText({ name }: Vertex): string {
  return name.replace(/^\[[^\]]*\] /, '');
}

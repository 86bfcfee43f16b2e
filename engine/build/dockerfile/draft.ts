// The graph while it is planned: vertices whose operations are not all known yet get their digests at the end.

import { createHash } from 'node:crypto';
import type { Operation, SourceRange, Vertex } from '../graph.ts';

/** A vertex to be. */
export interface Draft {
  readonly name: string;
  /** a function where it is known only when all instructions were read */
  readonly operation: Operation | (() => Operation);
  readonly inputs: readonly Draft[];
  readonly ignoresCache: boolean;
  readonly source?: SourceRange | undefined;
}

/** Collects drafts; inputs are added before what uses them. */
export class DraftGraph {
  readonly #drafts: Draft[] = [];

  add(draft: Draft): Draft {
    this.#drafts.push(draft);
    return draft;
  }

  /** Makes vertices of all drafts. */
  finish(): ReadonlyMap<Draft, Vertex> {
    const vertices = new Map<Draft, Vertex>();
    for (const draft of this.#drafts) {
      const { name, ignoresCache, source } = draft;
      const operation = typeof draft.operation === 'function' ? draft.operation() : draft.operation;
      const inputs = draft.inputs.map((input) => {
        const vertex = vertices.get(input);
        if (vertex === undefined) throw new Error(`vertex ${input.name} was added after ${name}`);
        return vertex;
      });
      const digest = operationDigest(operation, inputs);
      vertices.set(draft, {
        digest,
        name,
        operation,
        inputs,
        ignoresCache,
        ...(source === undefined ? {} : { source }),
      });
    }
    return vertices;
  }
}

/** The digest of what is done and of what it is done to. */
export function operationDigest(operation: Operation, inputs: readonly Vertex[]): string {
  const hash = createHash('sha256').update(operationKey(operation));
  for (const input of inputs) hash.update(`\n${input.digest}`);
  return `sha256:${hash.digest('hex')}`;
}

/** What an operation does, as text: the same for two that do the same. Proxies do not count. */
export function operationKey(operation: Operation): string {
  return canonicalJson(operation.kind === 'exec' ? { ...operation, proxyEnv: undefined } : operation);
}

/** JSON in which the order of an object's keys does not matter. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

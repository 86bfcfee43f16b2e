// By what a step's result is found again: what is done, and what it is done to.

import { createHash } from 'node:crypto';
import { operationKey } from '../dockerfile/draft.ts';
import type { ExecOperation, FileOperation, Operation } from '../graph.ts';
import type { ContextIndex, Selection } from './content-key.ts';

/** What is known of an input: files of a client, or the key of another step's result. */
export type InputKey =
  | { readonly kind: 'local'; readonly index: ContextIndex }
  | { readonly kind: 'step'; readonly key: string };

/** The parts of a key, apart: they tell why a result was not there. */
export interface StepKey {
  readonly key: string;
  /** of what is done */
  readonly operation: string;
  /** of the file system that it is done to; '' for an empty one */
  readonly root: string;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The key of an image's file system. */
export function imageKey(imageId: string): string {
  return digest(`image\n${imageId}`);
}

/** The key of a step. Of a client's files only those count that the operation really uses. */
export function stepKey(operation: Operation, inputs: readonly InputKey[]): StepKey {
  const what = digest(operationKey(operation));
  const rootIndex = operation.kind === 'exec' || operation.kind === 'file' ? operation.root : undefined;
  const keys = inputs.map((input, index) =>
    input.kind === 'step' ? input.key : localKey(operation, index, input.index),
  );
  const root = rootIndex === undefined ? '' : (keys[rootIndex] ?? '');
  return { key: digest([what, ...keys].join('\n')), operation: what, root };
}

/** The key of files that were copied from another step: what counts is what came, not how it was made. */
export function copiedKey({ root }: StepKey, layerDigest: string): string {
  return digest(['copied', root, layerDigest].join('\n'));
}

/** Whether a step copies files of other steps. */
export function copiesFromSteps(operation: Operation, inputs: readonly InputKey[]): boolean {
  return (
    operation.kind === 'file' &&
    operation.actions.some((action) => action.type === 'copy' && inputs[action.from]?.kind === 'step')
  );
}

function localKey(operation: Operation, input: number, index: ContextIndex): string {
  const selections = selectionsOf(operation, input);
  return digest(selections.map((selection) => index.digest(selection)).join('\n'));
}

/** What an operation uses of one input. */
export function selectionsOf(operation: Operation, input: number): Selection[] {
  if (operation.kind === 'file') return ofActions(operation, input);
  if (operation.kind === 'exec') return ofMounts(operation, input);
  return [];
}

function ofActions({ root, actions }: FileOperation, input: number): Selection[] {
  const copied = actions.flatMap((action) =>
    action.type === 'copy' && action.from === input
      ? [
          {
            source: action.source,
            isPattern: action.allowsWildcard,
            keepsParents: action.keepsParents,
            excludePatterns: action.excludePatterns,
          },
        ]
      : [],
  );
  return root === input ? [everything, ...copied] : copied;
}

function ofMounts({ root, mounts }: ExecOperation, input: number): Selection[] {
  const mounted = mounts.flatMap((mount) =>
    (mount.type === 'bind' || mount.type === 'cache') && mount.from === input
      ? [{ ...everything, source: mount.source }]
      : [],
  );
  return root === input ? [everything, ...mounted] : mounted;
}

const everything: Selection = { source: '/', isPattern: false, keepsParents: false, excludePatterns: [] };

// docker diff: what a container has added, changed and deleted in its root.

import { SystemError } from '../errors.ts';
import { ZERO_TIME } from '../events/clock.ts';
import { IN_SANDBOX } from '../sandbox/sandbox.ts';
import { runTool } from '../sandbox/tool.ts';
import type { Container } from './container.ts';
import { layerDir } from './files.ts';
import { layerSteps, lowerDirs } from './overlay.ts';
import type { ContainerParts } from './parts.ts';

export interface FileChange {
  Path: string;
  /** 0 changed, 1 added, 2 deleted */
  Kind: number;
}

const KINDS: Readonly<Record<string, number>> = { C: 0, A: 1, D: 2 };
/** A path is shorter than this; more without an end is not one. */
const MAX_PATH = 8192;

/** In Docker's order: a directory before what changed in it, deletions last in each. */
export async function* diffContainer(
  parts: ContainerParts,
  { record }: Container,
  signal: AbortSignal,
): AsyncGenerator<FileChange> {
  const hasLayer = record.state.startedAt !== ZERO_TIME;
  const output = runTool(parts.sandbox.init, {
    name: 'changes',
    args: [`${layerDir(record.id)}/diff`, ...lowerDirs(record.layers)],
    // docker cp may have written to a container that was never started
    steps: hasLayer ? [] : layerSteps(record.id),
    cwd: IN_SANDBOX.dockerRoot,
    signal,
  });
  for await (const text of records(output)) {
    const Kind = KINDS[text.charAt(0)];
    if (Kind === undefined) throw new SystemError('the sandbox answered nonsense about changed files');
    yield { Path: text.slice(1), Kind };
  }
}

/** The texts before each NUL. */
async function* records(output: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of output) {
    let bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0)) {
      yield bytes.toString('utf8', 0, end);
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > MAX_PATH) throw new SystemError('the sandbox answered nonsense about changed files');
    pending = bytes;
  }
}

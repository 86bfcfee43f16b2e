// Steps that no instruction asked for: `[internal] load build definition from Dockerfile`. They are done at once, and only shown.

import { createHash, randomUUID } from 'node:crypto';
import { messageOf } from '../../errors.ts';
import type { BuildRequest } from '../build.ts';
import type { PartStatus } from '../progress.ts';

/** Nanoseconds since the epoch. */
function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

export interface InternalStep {
  readonly digest: string;
  /** a part of it, such as a transfer */
  report(part: Omit<PartStatus, 'vertex'>): void;
}

/** Does something as a step of the build's progress. */
export async function runInternalStep<T>(
  { onProgress }: Pick<BuildRequest, 'onProgress'>,
  name: string,
  work: (step: InternalStep) => Promise<T>,
): Promise<T> {
  const digest = `sha256:${createHash('sha256').update(`${name}\n${randomUUID()}`).digest('hex')}`;
  const status = { type: 'vertex', digest, inputs: [], name, isCached: false, error: '' } as const;
  const started = now();
  onProgress({ ...status, started });
  try {
    const result = await work({
      digest,
      report: (part) => onProgress({ type: 'part', vertex: digest, ...part }),
    });
    onProgress({ ...status, started, completed: now() });
    return result;
  } catch (error) {
    onProgress({ ...status, started, completed: now(), error: messageOf(error) });
    throw error;
  }
}

/** Reads a small file of a context as a step that shows the transfer, as BuildKit does. */
export function readFileStep(
  request: BuildRequest,
  step: { name: string; partId: string },
  contextName: string,
  paths: readonly string[],
  limit: number,
): Promise<ReadonlyMap<string, Buffer> & { digest: string }> {
  return runInternalStep(request, step.name, async ({ digest, report }) => {
    const started = now();
    const files = new Map<string, Buffer>();
    for (const path of paths) {
      const data = await request.client.readFile(contextName, path, limit);
      if (data !== undefined) files.set(path, data);
    }
    const current = [...files.values()].reduce((sum, data) => sum + data.length, 0);
    report({ id: step.partId, current, total: 0, started, completed: now() });
    return Object.assign(files, { digest });
  });
}

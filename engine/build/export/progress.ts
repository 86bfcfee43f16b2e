// The end of a build as a step of its progress: `exporting to image`, with its parts.

import { createHash } from 'node:crypto';
import { messageOf } from '../../errors.ts';
import { nowNanos } from '../../events/clock.ts';
import type { BuildRequest } from '../build.ts';

/** Runs a part of the export, and shows it. */
export type ExportProgress = <T>(id: string, task: () => Promise<T>) => Promise<T>;

/** Runs the export as a step of the build. */
export async function showExport<T>(
  { onProgress, id }: Pick<BuildRequest, 'onProgress' | 'id'>,
  name: string,
  task: (progress: ExportProgress) => Promise<T>,
): Promise<T> {
  const digest = `sha256:${createHash('sha256').update(`${id} ${name}`).digest('hex')}`;
  const started = nowNanos();
  const vertex = { type: 'vertex', digest, inputs: [], name, isCached: false, started } as const;
  onProgress({ ...vertex, error: '' });
  try {
    const result = await task(async (part, run) => {
      const begun = nowNanos();
      const about = { type: 'part', vertex: digest, id: part, current: 0, total: 0, started: begun } as const;
      onProgress(about);
      const value = await run();
      onProgress({ ...about, completed: nowNanos() });
      return value;
    });
    onProgress({ ...vertex, completed: nowNanos(), error: '' });
    return result;
  } catch (error) {
    onProgress({ ...vertex, completed: nowNanos(), error: messageOf(error) });
    throw error;
  }
}

// ADD of an address: a lab host has no way out that the engine could use for it.

import { NotImplemented } from '../../errors.ts';
import type { HttpSource } from '../graph.ts';
import type { ExecuteParts, StepCall, StepResult } from './executor.ts';

/** Throws NotImplemented: the engine opens no connections on behalf of a Dockerfile. */
export async function fetchFile(_: ExecuteParts, { url }: HttpSource, __: StepCall): Promise<StepResult> {
  throw new NotImplemented(
    `ADD ${url.slice(0, 500)} is not supported by Berth: fetch it with RUN, or copy it from the build context`,
  );
}

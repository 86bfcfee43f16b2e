// How much a container's own layer holds (docker ps -s).

import { capture } from './capture.ts';
import { layerDir } from './files.ts';
import type { ContainerParts } from './parts.ts';
import type { ContainerRecord } from './record.ts';

/** Bytes of the files in the writable layer, 0 before the first start. */
export async function measureLayer(parts: ContainerParts, record: ContainerRecord): Promise<number> {
  const { stdout } = await capture(parts.sandbox.init, ['du', '-sb', '--', `${layerDir(record.id)}/diff`]);
  // coreutils 9.2 and newer count no directories, as Docker does
  return Number(/^(\d+)\t/.exec(stdout)?.[1] ?? 0);
}

// How much volumes hold, for docker system df and prune: counted by a process in the sandbox.

import { capture } from '../container/capture.ts';
import { volumeData } from './files.ts';
import type { VolumeParts } from './parts.ts';

/** Bytes of the files in each volume, in the order of the names; 0 for what cannot be counted. */
export async function measureVolumes({ sandbox }: VolumeParts, names: readonly string[]): Promise<number[]> {
  if (names.length === 0) return [];
  const argv = ['/usr/sbin/berth-init', 'volume', 'size', ...names.map(volumeData)];
  const { stdout } = await capture(sandbox.init, argv);
  const sizes = stdout.split('\n');
  return names.map((_, index) => {
    const size = Number(/^\d{1,15}$/.exec(sizes[index] ?? '')?.[0] ?? 0);
    return Number.isSafeInteger(size) ? size : 0;
  });
}

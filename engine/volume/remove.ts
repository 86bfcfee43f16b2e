// docker volume rm: its files in the sandbox, then its record.

import { Conflict, SystemError } from '../errors.ts';
import { StartFailed } from '../sandbox/init-types.ts';
import { volumeDir } from './files.ts';
import type { VolumeParts } from './parts.ts';
import { LOCAL_DRIVER, type VolumeRecord } from './record.ts';
import { lowerFirst } from './words.ts';

/** Removes a volume that no container mounts. Throws NotFound, or Conflict when one does. */
export function removeVolume(parts: VolumeParts, name: string): Promise<void> {
  return parts.volumes.exclusively([name], async () => {
    const volume = parts.volumes.get(name);
    const users = parts.volumes.users(name);
    if (users.length > 0) {
      throw new Conflict(`remove ${name}: volume is in use - [${users.join(', ')}]`);
    }
    await removeLocked(parts, volume);
  });
}

/** Removes volumes that were made for a container which goes, but for those that others mount as well. */
export async function removeVolumesOf(
  parts: VolumeParts,
  container: string,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    await parts.volumes.exclusively([name], async () => {
      const volume = parts.volumes.find(name);
      if (!volume || parts.volumes.users(name).some((user) => user !== container)) return;
      await removeLocked(parts, volume);
    });
  }
}

/** The removal itself; the caller holds the volume's lock, and nobody mounts it. */
export async function removeLocked(parts: VolumeParts, volume: VolumeRecord): Promise<void> {
  const { volumes, sandbox, events } = parts;
  const { name } = volume;
  if (volume.state !== 'removing') await volumes.write({ ...volume, state: 'removing' });
  try {
    await sandbox.init.start([{ kind: 'rmtree', path: volumeDir(name) }]);
  } catch (error) {
    // Something is mounted in it, say: then it stays.
    await volumes.write({ ...volume, state: 'ready' });
    if (!(error instanceof StartFailed)) throw error;
    throw new SystemError(`remove ${name}: ${lowerFirst(error.text)}`, { cause: error });
  }
  await volumes.remove(name);
  if (volume.state !== 'making') events.publish('volume', 'destroy', name, { driver: LOCAL_DRIVER });
}

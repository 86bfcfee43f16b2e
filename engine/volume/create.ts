// docker volume create: a volume by its name, made if there is none.

import { randomBytes } from 'node:crypto';
import { SystemError } from '../errors.ts';
import { StartFailed } from '../sandbox/init-types.ts';
import { makeVolumes } from './make.ts';
import { checkVolumeDriver, type VolumeRequest } from './options.ts';
import type { VolumeParts } from './parts.ts';
import { ANONYMOUS_LABEL, type VolumeRecord } from './record.ts';
import { lowerFirst } from './words.ts';

/** A name for a volume that the user gave none. */
export function anonymousName(): string {
  return randomBytes(32).toString('hex');
}

/** The volume of that name as it is, or a new one. */
export async function createVolume(parts: VolumeParts, request: VolumeRequest): Promise<VolumeRecord> {
  const isAnonymous = request.name === '';
  const wanted = isAnonymous
    ? { ...request, name: anonymousName(), labels: { ...request.labels, [ANONYMOUS_LABEL]: '' } }
    : request;
  const { name } = wanted;
  checkVolumeDriver(name, wanted.driver);
  await parts.volumes.exclusively([name], async () => {
    try {
      await makeVolumes(
        parts,
        [wanted],
        () => [],
        async () => undefined,
      );
    } catch (error) {
      if (!(error instanceof StartFailed)) throw error;
      throw new SystemError(`create ${name}: ${lowerFirst(error.text)}`, { cause: error });
    }
  });
  return parts.volumes.get(name);
}

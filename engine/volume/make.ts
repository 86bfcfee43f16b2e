// Making volumes: recorded before anything is there, and told to others once whoever wants them has recorded that.

import { formatNanos, nowNanos } from '../events/clock.ts';
import type { Step } from '../sandbox/init-types.ts';
import { volumeData, volumeDir } from './files.ts';
import { checkVolumeRequest, type VolumeRequest } from './options.ts';
import type { VolumeParts } from './parts.ts';
import { LOCAL_DRIVER, type VolumeRecord } from './record.ts';

/**
 * Makes those of the volumes that are not there, does `fill`'s steps, and then `record`, which acknowledges them. Nothing is
 * left of new volumes when that fails, or when the engine ends before. The caller holds the volumes' locks.
 */
export async function makeVolumes<T>(
  parts: VolumeParts,
  requests: readonly VolumeRequest[],
  fill: () => readonly Step[],
  record: () => Promise<T>,
): Promise<T> {
  const { volumes, sandbox, events } = parts;
  const wanted = requests.filter(({ name }) => !volumes.find(name));
  for (const request of wanted) checkVolumeRequest(request);
  const made: VolumeRecord[] = [];
  let result: T;
  try {
    for (const request of wanted) {
      const volume = newRecord(request);
      made.push(volume);
      await volumes.write(volume);
    }
    const steps = [
      // what a removal in a crash may have left goes first
      ...made.flatMap(({ name }): Step[] => [
        { kind: 'rmtree', path: volumeDir(name) },
        { kind: 'mkdir', path: volumeDir(name), mode: 0o701 },
        { kind: 'mkdir', path: volumeData(name), mode: 0o755 },
      ]),
      ...fill(),
    ];
    if (steps.length > 0) await sandbox.init.start(steps);
    result = await record();
  } catch (error) {
    await unmake(parts, made);
    throw error;
  }
  for (const volume of made) {
    await volumes.write({ ...volume, state: 'ready' });
    events.publish('volume', 'create', volume.name, { driver: LOCAL_DRIVER });
  }
  return result;
}

function newRecord({ name, labels, options }: VolumeRequest): VolumeRecord {
  const nanos = nowNanos();
  return {
    name,
    created: formatNanos(nanos - (nanos % 1_000_000_000n)),
    labels: labels && Object.keys(labels).length > 0 ? labels : null,
    options: Object.keys(options).length > 0 ? options : null,
    state: 'making',
  };
}

/** Takes back volumes that nobody was told of. What cannot be removed now is removed when the engine starts. */
async function unmake({ volumes, sandbox, log }: VolumeParts, made: readonly VolumeRecord[]): Promise<void> {
  if (made.length === 0) return;
  try {
    await sandbox.init.start(made.map(({ name }) => ({ kind: 'rmtree', path: volumeDir(name) })));
    for (const { name } of made) await volumes.remove(name);
  } catch (error) {
    log.warn({ err: error }, 'a volume that could not be made left something');
  }
}

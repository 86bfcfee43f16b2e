// The volumes of a container: made and filled when it is created, mounted while it runs, removed with it when asked for.

import { SystemError } from '../errors.ts';
import { layerLocation } from '../image/layer.ts';
import { StartFailed, type Step } from '../sandbox/init-types.ts';
import { IN_SANDBOX } from '../sandbox/sandbox.ts';
import { anonymousName } from '../volume/create.ts';
import { volumeData } from '../volume/files.ts';
import { makeVolumes } from '../volume/make.ts';
import { checkVolumeDriver, driverMount, type VolumeRequest } from '../volume/options.ts';
import { ANONYMOUS_LABEL, LOCAL_DRIVER } from '../volume/record.ts';
import { removeVolumesOf } from '../volume/remove.ts';
import type { VolumeStore } from '../volume/store.ts';
import { lowerFirst } from '../volume/words.ts';
import { INIT_LAYER_LOWERDIR } from './boot.ts';
import { bundleDir } from './files.ts';
import { type MountPoint, sourceOf, volumeNames } from './mount-point.ts';
import type { RequestedMount } from './mount-request.ts';
import type { ContainerParts } from './parts.ts';
import type { ContainerRecord } from './record.ts';

/** An image may be large, and the disk slow. */
const FILL_TIMEOUT = 600_000;
const TOOL = ['/usr/sbin/berth-init', 'volume'];

/**
 * Makes the volumes that a new container needs and fills the empty ones from its image, then lets `record` record the
 * container. When that fails, nothing of the new volumes is left.
 *
 * @param layers directory names of the image's layers, top first
 */
export async function withVolumes<T>(
  parts: ContainerParts,
  requested: readonly RequestedMount[],
  layers: readonly string[],
  record: (mounts: MountPoint[]) => Promise<T>,
): Promise<T> {
  const named = requested.map(withName);
  const requests = named.flatMap(({ request }) => request ?? []);
  const mounts = named.map(({ request: _request, ...point }): MountPoint => point);
  if (requests.length === 0) return record(mounts);
  for (const { name, driver } of requests) checkVolumeDriver(name, driver);
  const names = requests.map((request) => request.name);
  return parts.volumes.exclusively(names, async () => {
    try {
      return await makeVolumes(
        parts,
        unique(requests),
        () => fillSteps(parts.volumes, mounts, layers),
        () => record(mounts.map((point) => ({ ...point, isReadOnlyByDriver: isReadOnly(parts, point) }))),
      );
    } catch (error) {
      if (!(error instanceof StartFailed)) throw error;
      throw new SystemError(fillFailure(parts.volumes, mounts, lowerFirst(error.text)), { cause: error });
    }
  });
}

function withName(mount: RequestedMount): RequestedMount {
  if (!mount.request || mount.name !== '') return mount;
  const name = anonymousName();
  const labels = { ...mount.request.labels, [ANONYMOUS_LABEL]: '' };
  return { ...mount, name, request: { ...mount.request, name, labels } };
}

function isReadOnly({ volumes }: ContainerParts, point: MountPoint): boolean {
  const volume = volumes.all().find((each) => each.name === point.name);
  return point.isReadOnlyByDriver || (volume !== undefined && driverMount(volume)?.isReadOnly === true);
}

/** The same volume may be mounted in two places. */
function unique(requests: readonly VolumeRequest[]): VolumeRequest[] {
  return [...new Map(requests.map((request) => [request.name, request])).values()];
}

/** A volume's files, where its driver's options put them; undefined where they are not there before it is mounted. */
function filesOf(volumes: VolumeStore, name: string): string | undefined {
  const volume = volumes.all().find((each) => each.name === name);
  const mount = volume && driverMount(volume);
  return mount ? mount.device : volumeData(name);
}

/** Copies what the image has to volumes that are empty; a process of the sandbox looks at both. */
function fillSteps(volumes: VolumeStore, mounts: readonly MountPoint[], layers: readonly string[]): Step[] {
  const triples = mounts
    .filter((point) => point.type === 'volume' && point.isFilled)
    .flatMap((point) => {
      const files = filesOf(volumes, point.name);
      return files === undefined ? [] : [[point.destination, files, point.subpath]];
    });
  if (triples.length === 0) return [];
  const lowers = [INIT_LAYER_LOWERDIR, ...layers.map(layerLocation)].join(':');
  return [
    { kind: 'chdir', path: IN_SANDBOX.dockerRoot },
    { kind: 'exec', argv: [...TOOL, 'fill', lowers, ...triples.flat()], timeout: FILL_TIMEOUT },
  ];
}

/** A device that is not there is what Docker would fail to mount. */
function fillFailure(volumes: VolumeStore, mounts: readonly MountPoint[], text: string): string {
  const opened = /^open (\/.*): ([^:]+)$/.exec(text);
  for (const name of volumeNames(mounts)) {
    const volume = volumes.find(name);
    const mount = volume && driverMount(volume);
    if (!opened || !mount || mount.device !== opened[1]) continue;
    return `error while mounting volume '${volumeData(name)}': failed to mount local volume: ${mount.description}: ${opened[2]}`;
  }
  return text;
}

/** Mounts what the driver options of its volumes say, for a start. Throws in Docker's words. */
export async function mountVolumes(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  if (record.mounts.length === 0) return;
  await parts.volumeMounts.acquire(parts, record.id, volumeNames(record.mounts));
}

/** After its end, or a start that failed. */
export async function unmountVolumes(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  if (record.mounts.length === 0) return;
  await parts.volumeMounts.release(parts, record.id, volumeNames(record.mounts));
}

/** The `volume mount` events of a start. */
export function publishMounts(parts: ContainerParts, { id, mounts }: ContainerRecord): void {
  for (const point of mounts) {
    if (point.type !== 'volume') continue;
    parts.events.publish('volume', 'mount', point.name, {
      container: id,
      destination: point.destination,
      driver: LOCAL_DRIVER,
      propagation: '',
      'read/write': String(point.writable),
    });
  }
}

/** The `volume unmount` events of an end. */
export function publishUnmounts(parts: ContainerParts, { id, mounts }: ContainerRecord): void {
  for (const name of volumeNames(mounts)) {
    parts.events.publish('volume', 'unmount', name, { container: id, driver: LOCAL_DRIVER });
  }
}

/** Removes the volumes without a name that only this container mounts, for `docker rm -v` and `--rm`. */
export async function removeAnonymousVolumes(
  parts: ContainerParts,
  { id, mounts }: ContainerRecord,
): Promise<void> {
  const names = volumeNames(mounts.filter((point) => point.isAnonymous));
  await removeVolumesOf(parts, id, names).catch((error) =>
    parts.log.warn({ err: error, container: id }, 'a volume of a removed container is left'),
  );
}

/** Where a part of a volume is bound before the container's mounts are made; see `pinSteps`. */
function pinPath(id: string, index: number): string {
  return `${bundleDir(id)}/mounts/${index}`;
}

/**
 * Looks up the parts of volumes (volume-subpath) before crun mounts them, below the volume and nowhere else: a link in it,
 * made by a container, must not lead to files of the lab host.
 */
export function pinSteps({ id, mounts }: ContainerRecord): Step[] {
  const pins = mounts.flatMap((point, index): Step[] =>
    point.subpath === ''
      ? []
      : [{ kind: 'exec', argv: [...TOOL, 'pin', sourceOf(point), point.subpath, pinPath(id, index)] }],
  );
  return pins.length === 0 ? [] : [{ kind: 'mkdir', path: `${bundleDir(id)}/mounts`, mode: 0o700 }, ...pins];
}

export function unpinSteps({ id, mounts }: ContainerRecord): Step[] {
  return mounts.flatMap((point, index): Step[] =>
    point.subpath === '' ? [] : [{ kind: 'umount', path: pinPath(id, index) }],
  );
}

/** What crun mounts: a volume's part where it was bound, everything else where it lies. */
export function runtimeSource({ id, mounts }: ContainerRecord, point: MountPoint): string {
  return point.subpath === '' ? sourceOf(point) : pinPath(id, mounts.indexOf(point));
}

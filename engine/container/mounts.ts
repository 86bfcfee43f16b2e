// All that a container mounts: -v, --mount, --tmpfs, --volumes-from and the image's VOLUME, put together by Docker's rules.

import { InvalidParameter } from '../errors.ts';
import type { ContainerConfig, HostConfig } from './config.ts';
import { parseBind, parseMode } from './mount-bind.ts';
import type { MountPoint } from './mount-point.ts';
import { anonymousVolume, cleanTarget, parseMount, type RequestedMount, tmpfs } from './mount-request.ts';

/**
 * The mounts that a request asks for. `mountsOf` gives those of the container that --volumes-from names, and throws NotFound.
 * Throws InvalidParameter in Docker's words.
 */
export function requestedMounts(
  config: ContainerConfig,
  hostConfig: HostConfig,
  mountsOf: (container: string) => readonly MountPoint[],
): RequestedMount[] {
  const { VolumeDriver } = hostConfig;
  const own = [
    ...(hostConfig.Binds ?? []).map((spec) => parseBind(spec, VolumeDriver)),
    ...(hostConfig.Mounts ?? []).map(parseMount),
  ];
  const temporary = Object.entries(hostConfig.Tmpfs ?? {}).map(([destination, options]) =>
    tmpfs(destination, options === '' ? [] : options.split(',')),
  );
  const taken = new Set<string>();
  for (const { destination } of [...own, ...temporary]) {
    if (taken.has(destination)) throw new InvalidParameter(`Duplicate mount point: ${destination}`);
    taken.add(destination);
  }
  const points = new Map<string, RequestedMount>();
  for (const spec of hostConfig.VolumesFrom ?? []) {
    for (const point of mountsFrom(spec, mountsOf)) points.set(point.destination, point);
  }
  for (const point of own) points.set(point.destination, point);
  for (const target of Object.keys(config.Volumes ?? {})) {
    const destination = cleanTarget(target);
    if (!points.has(destination)) points.set(destination, anonymousVolume(target, VolumeDriver));
  }
  // Parents first, so that no mount hides another; a tmpfs over a volume of the image at the same place.
  return [...points.values(), ...temporary].sort((a, b) => depth(a) - depth(b));
}

function depth({ destination }: MountPoint): number {
  return destination.split('/').length;
}

/** What --volumes-from takes over: every mount that inspect shows of the other container. */
function mountsFrom(spec: string, mountsOf: (container: string) => readonly MountPoint[]): MountPoint[] {
  const colon = spec.indexOf(':');
  const [name, mode] = colon < 0 ? [spec, ''] : [spec.slice(0, colon), spec.slice(colon + 1)];
  if (name === '') throw new InvalidParameter(`malformed volumes-from specification: ${spec}`);
  const modes = parseMode(mode);
  if (modes.propagation || modes.copy) throw new InvalidParameter(`invalid mode: ${mode}`);
  const isReadOnly = modes.access === 'ro';
  return mountsOf(name)
    .filter((point) => point.isListed)
    .map((point) => ({
      ...point,
      mode: '',
      writable: point.writable && !isReadOnly,
      recursiveReadOnly: point.recursiveReadOnly || isReadOnly,
      isFilled: false,
      ...(point.type === 'tmpfs' && isReadOnly ? { options: ['ro', ...point.options] } : {}),
    }));
}

// What a user mounts into a container: -v, --mount and --tmpfs, parsed and checked.

import path from 'node:path';
import { InvalidParameter, NotImplemented } from '../errors.ts';
import type { ContainerConfig, HostConfig, MountRequest } from './config.ts';

/** A mount of the lab host's own files, or a tmpfs. */
export interface MountPoint {
  type: 'bind' | 'tmpfs';
  /** of a bind */
  source: string;
  destination: string;
  /** as the user wrote it in -v */
  mode: string;
  writable: boolean;
  /** of a tmpfs: mount options */
  options: string[];
  /** -v makes a source that is not there, --mount refuses it */
  createsSource: boolean;
  nonRecursive: boolean;
  /** from --tmpfs or --mount type=tmpfs: inspect lists only the latter */
  isListed: boolean;
}

const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const BIND_MODES = [
  'rw',
  'ro',
  'z',
  'Z',
  'private',
  'rprivate',
  'consistent',
  'cached',
  'delegated',
  'nocopy',
];
const SHARED_MODES = ['shared', 'rshared', 'slave', 'rslave'];

/** All mounts of a container. Throws InvalidParameter in Docker's words, NotImplemented for volumes. */
export function mountPoints(config: ContainerConfig, hostConfig: HostConfig): MountPoint[] {
  const points = [
    ...(hostConfig.Binds ?? []).map(parseBind),
    ...(hostConfig.Mounts ?? []).map(parseMount),
    ...Object.entries(hostConfig.Tmpfs ?? {}).map(([destination, options]) => ({
      ...tmpfs(destination, options === '' ? [] : options.split(',')),
      isListed: false,
    })),
  ];
  const seen = new Set<string>();
  for (const { destination } of points) {
    if (seen.has(destination)) throw new InvalidParameter(`Duplicate mount point: ${destination}`);
    seen.add(destination);
  }
  const volume = Object.keys(config.Volumes ?? {}).find((each) => !seen.has(cleanTarget(each)));
  if (volume !== undefined) throw new NotImplemented(volumesMissing(`an anonymous volume at ${volume}`));
  // Parents first, so that no mount hides another.
  return points.sort((a, b) => a.destination.split('/').length - b.destination.split('/').length);
}

function volumesMissing(what: string): string {
  return `volumes are not supported by Berth yet (${what}); mount a directory by its absolute path`;
}

/** `source:destination[:mode]` */
function parseBind(spec: string): MountPoint {
  const invalid = (why?: string) =>
    new InvalidParameter(`invalid volume specification: '${spec}'${why ? `: ${why}` : ''}`);
  const parts = spec.split(':');
  const [source, destination, mode = ''] = parts;
  if (parts.length > 3 || !source) throw invalid();
  if (destination === undefined) throw new NotImplemented(volumesMissing(`an anonymous volume at ${source}`));
  if (!destination.startsWith('/'))
    throw invalid(
      `invalid mount config for type "bind": invalid mount path: '${destination}' mount path must be absolute`,
    );
  const modes = mode === '' ? [] : mode.split(',');
  const shared = modes.find((each) => SHARED_MODES.includes(each));
  if (shared) throw new NotImplemented(`the mount mode ${shared} is not supported by Berth yet`);
  if (modes.some((each) => !BIND_MODES.includes(each))) throw new InvalidParameter(`invalid mode: ${mode}`);
  if (!source.startsWith('/')) {
    if (VOLUME_NAME.test(source)) throw new NotImplemented(volumesMissing(`the volume ${source}`));
    throw new InvalidParameter(
      `create ${source}: "${source}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  }
  if (path.posix.normalize(destination) === '/')
    throw invalid(`invalid mount config for type "bind": invalid specification: destination can't be '/'`);
  return {
    type: 'bind',
    source: path.posix.normalize(source),
    destination: cleanTarget(destination),
    mode,
    writable: !modes.includes('ro'),
    options: [],
    createsSource: true,
    nonRecursive: false,
    isListed: true,
  };
}

function parseMount(mount: MountRequest): MountPoint {
  const invalid = (why: string) =>
    new InvalidParameter(`invalid mount config for type "${mount.Type}": ${why}`);
  if (mount.Target === '') throw invalid('field Target must not be empty');
  if (!mount.Target.startsWith('/')) {
    throw invalid(`invalid mount path: '${mount.Target}' mount path must be absolute`);
  }
  switch (mount.Type) {
    case 'bind':
      if (mount.Source === '') throw invalid('field Source must not be empty');
      if (!mount.Source.startsWith('/')) {
        throw invalid(`invalid mount path: '${mount.Source}' mount path must be absolute`);
      }
      return {
        type: 'bind',
        source: path.posix.normalize(mount.Source),
        destination: cleanTarget(mount.Target),
        mode: '',
        writable: !mount.ReadOnly,
        options: [],
        createsSource: mount.BindOptions?.CreateMountpoint ?? false,
        nonRecursive: mount.BindOptions?.NonRecursive ?? false,
        isListed: true,
      };
    case 'tmpfs': {
      const { SizeBytes = 0, Mode = 0, Options } = mount.TmpfsOptions ?? {};
      const options = [
        ...(mount.ReadOnly ? ['ro'] : []),
        ...(Mode === 0 ? [] : [`mode=${Mode.toString(8)}`]),
        ...(SizeBytes === 0 ? [] : [`size=${SizeBytes}`]),
        ...(Options ?? []).map((pair) => pair.join('=')),
      ];
      return { ...tmpfs(mount.Target, options), isListed: true };
    }
    case 'volume':
      throw new NotImplemented(volumesMissing(`the volume ${mount.Source || mount.Target}`));
    default:
      throw new InvalidParameter(`invalid mount config for type "${mount.Type}": mount type unknown`);
  }
}

const TMPFS_FLAGS = 'ro rw exec noexec suid nosuid dev nodev noatime nodiratime relatime strictatime'.split(
  ' ',
);
const TMPFS_VALUES = ['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks'];

function tmpfs(target: string, options: string[]): MountPoint {
  const unknown = options.find(
    (option) => !TMPFS_FLAGS.includes(option) && !TMPFS_VALUES.includes(option.split('=')[0] ?? ''),
  );
  if (unknown !== undefined) {
    throw new InvalidParameter(`invalid tmpfs option "${unknown}"`);
  }
  if (!target.startsWith('/')) {
    throw new InvalidParameter(`invalid mount path: '${target}' mount path must be absolute`);
  }
  return {
    type: 'tmpfs',
    source: '',
    destination: cleanTarget(target),
    mode: '',
    writable: !options.includes('ro'),
    options,
    createsSource: false,
    nonRecursive: false,
    isListed: true,
  };
}

function cleanTarget(target: string): string {
  const normal = path.posix.normalize(target);
  return normal.length > 1 ? normal.replace(/\/$/, '') : normal;
}

/** `Mounts` of inspect and list. */
export function describeMounts(config: ContainerConfig, hostConfig: HostConfig): Record<string, unknown>[] {
  return mountPoints(config, hostConfig)
    .filter((point) => point.isListed)
    .map((point) => ({
      Type: point.type,
      Source: point.source,
      Destination: point.destination,
      Mode: point.mode,
      RW: point.writable,
      Propagation: point.type === 'bind' ? 'rprivate' : '',
    }));
}

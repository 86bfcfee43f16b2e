// --mount, --tmpfs and the image's VOLUME, parsed and checked in Docker's words.

import path from 'node:path';
import { InvalidParameter } from '../errors.ts';
import type { VolumeRequest } from '../volume/options.ts';
import type { MountRequest } from './config.ts';
import { type MountPoint, PLAIN } from './mount-point.ts';

/** A mount as it is asked for; a volume with what it is to be made like if it is not there. */
export interface RequestedMount extends MountPoint {
  request?: VolumeRequest;
}

export const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];

/** `Mounts` of HostConfig. Throws InvalidParameter. */
export function parseMount(mount: MountRequest): RequestedMount {
  const invalid = (why: string) =>
    new InvalidParameter(`invalid mount config for type "${mount.Type}": ${why}`);
  const parse = Object.hasOwn(PARSERS, mount.Type) ? PARSERS[mount.Type] : undefined;
  if (!parse) throw invalid('mount type unknown');
  if (!mount.Target) throw invalid('field Target must not be empty');
  if ([mount.Source, mount.Target].some((text) => text?.includes('\0'))) throw invalid('a NUL byte');
  return parse(mount, invalid);
}

type Parser = (mount: MountRequest, invalid: (why: string) => InvalidParameter) => RequestedMount;

const PARSERS: Record<string, Parser> = {
  bind(mount, invalid) {
    const { Source = '', BindOptions: options, ReadOnly = false } = mount;
    if (Source === '') throw invalid('field Source must not be empty');
    if (mount.VolumeOptions) throw invalid('field VolumeOptions must not be specified');
    checkDestination(mount.Target, invalid);
    if (!Source.startsWith('/')) {
      throw invalid(`invalid mount path: '${Source}' mount path must be absolute`);
    }
    const propagation = options?.Propagation || 'rprivate';
    if (!PROPAGATIONS.includes(propagation)) throw invalid(`invalid propagation mode: ${propagation}`);
    if (options?.ReadOnlyForceRecursive && (!ReadOnly || options.ReadOnlyNonRecursive)) {
      throw invalid('mount option "ReadOnlyForceRecursive" needs a read-only mount that is recursive');
    }
    return {
      ...PLAIN,
      type: 'bind',
      source: path.posix.normalize(Source),
      destination: cleanTarget(mount.Target),
      writable: !ReadOnly,
      propagation,
      createsSource: options?.CreateMountpoint ?? false,
      nonRecursive: options?.NonRecursive ?? false,
      recursiveReadOnly: ReadOnly && !options?.NonRecursive && !options?.ReadOnlyNonRecursive,
    };
  },

  volume(mount, invalid) {
    const { Source = '', VolumeOptions: options, ReadOnly = false } = mount;
    if (mount.BindOptions) throw invalid('field BindOptions must not be specified');
    checkDestination(mount.Target, invalid);
    const subpath = options?.Subpath ?? '';
    if (subpath !== '' && !isLocalPath(subpath)) {
      throw invalid('subpath must be a relative path within the volume');
    }
    if (subpath !== '' && Source === '') throw invalid('must not set Subpath when using anonymous volumes');
    return {
      ...PLAIN,
      type: 'volume',
      name: Source,
      destination: cleanTarget(mount.Target),
      mode: 'z',
      writable: !ReadOnly,
      isAnonymous: Source === '',
      isFilled: !options?.NoCopy,
      subpath,
      request: {
        name: Source,
        driver: options?.DriverConfig?.Name ?? '',
        options: options?.DriverConfig?.Options ?? {},
        labels: options?.Labels ?? null,
      },
    };
  },

  tmpfs(mount, invalid) {
    if (mount.Source) throw invalid('field Source must not be specified');
    if (mount.BindOptions) throw invalid('field BindOptions must not be specified');
    if (mount.VolumeOptions) throw invalid('field VolumeOptions must not be specified');
    checkDestination(mount.Target, invalid);
    const { SizeBytes = 0, Mode = 0, Options } = mount.TmpfsOptions ?? {};
    if (SizeBytes < 0) throw invalid('tmpfs size must not be negative');
    return {
      ...tmpfs(mount.Target, [
        ...(mount.ReadOnly ? ['ro'] : []),
        ...(Mode === 0 ? [] : [`mode=${Mode.toString(8)}`]),
        ...(SizeBytes === 0 ? [] : [`size=${SizeBytes}`]),
        ...(Options ?? []).map((pair) => pair.join('=')),
      ]),
      isListed: true,
    };
  },
};

const TMPFS_FLAGS = 'ro rw exec noexec suid nosuid dev nodev noatime nodiratime relatime strictatime'.split(
  ' ',
);
const TMPFS_VALUES = ['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks'];

/** --tmpfs. Throws InvalidParameter. */
export function tmpfs(target: string, options: string[]): RequestedMount {
  const unknown = options.find(
    (option) => !TMPFS_FLAGS.includes(option) && !TMPFS_VALUES.includes(option.split('=')[0] ?? ''),
  );
  if (unknown !== undefined) throw new InvalidParameter(`invalid tmpfs option "${unknown}"`);
  if (!target.startsWith('/')) {
    throw new InvalidParameter(`invalid mount path: '${target}' mount path must be absolute`);
  }
  return {
    ...PLAIN,
    type: 'tmpfs',
    destination: cleanTarget(target),
    writable: !options.includes('ro'),
    options,
    isListed: false,
  };
}

/** -v with a destination only, and the image's VOLUME: a volume of the container's own. */
export function anonymousVolume(target: string, driver: string): RequestedMount {
  checkDestination(
    target,
    (why) =>
      new InvalidParameter(
        `invalid volume specification: '${target}': invalid mount config for type "volume": ${why}`,
      ),
  );
  return {
    ...PLAIN,
    type: 'volume',
    destination: cleanTarget(target),
    isAnonymous: true,
    isFilled: true,
    request: { name: '', driver, options: {}, labels: null },
  };
}

/** An absolute path other than the root. */
export function checkDestination(target: string, invalid: (why: string) => InvalidParameter): void {
  if (!target.startsWith('/')) {
    throw invalid(`invalid mount path: '${target}' mount path must be absolute`);
  }
  if (path.posix.normalize(target) === '/') throw invalid("invalid specification: destination can't be '/'");
}

export function cleanTarget(target: string): string {
  const normal = path.posix.normalize(target);
  return normal.length > 1 ? normal.replace(/\/$/, '') : normal;
}

/** Go's filepath.IsLocal: relative, and not above where it starts. */
function isLocalPath(text: string): boolean {
  const normal = path.posix.normalize(text);
  return !text.startsWith('/') && normal !== '..' && !normal.startsWith('../') && !text.includes('\0');
}

// What may be asked of a volume: its name, its driver, and the local driver's options, in Docker's words.

import { InvalidParameter, NotFound, NotImplemented } from '../errors.ts';
import type { Step } from '../sandbox/init-types.ts';
import { volumeData } from './files.ts';
import { LOCAL_DRIVER, type VolumeRecord } from './record.ts';

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** a file name's (NAME_MAX) */
const LONGEST_NAME = 255;

/** A volume as a user asks for it. */
export interface VolumeRequest {
  name: string;
  /** '' is the local one */
  driver: string;
  options: Record<string, string>;
  labels: Record<string, string> | null;
}

/** Throws InvalidParameter, NotFound for another driver, NotImplemented for what a lab host cannot mount. */
export function checkVolumeRequest({ name, driver, options }: VolumeRequest): void {
  checkVolumeDriver(name, driver);
  if (name.length === 1) {
    throw new InvalidParameter(
      `create ${name}: volume name is too short, names should be at least two alphanumeric characters`,
    );
  }
  if (!NAME.test(name)) {
    throw new InvalidParameter(
      `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  }
  if (name.length > LONGEST_NAME) {
    throw new InvalidParameter(`create ${name}: mkdir ${volumeData(name)}: file name too long`);
  }
  checkOptions(name, options);
}

/** Throws NotFound for a driver that is not there. */
export function checkVolumeDriver(name: string, driver: string): void {
  if (driver === '' || driver === LOCAL_DRIVER) return;
  throw new NotFound(
    `create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
  );
}

const KNOWN_OPTIONS = ['type', 'o', 'device', 'size'];

function checkOptions(name: string, options: Record<string, string>): void {
  const invalid = (what: string) => new InvalidParameter(`create ${name}: ${what}`);
  const names = Object.keys(options);
  const unknown = names.find((option) => !KNOWN_OPTIONS.includes(option));
  if (unknown !== undefined) throw invalid(`invalid option: "${unknown}"`);
  if ('size' in options) throw invalid('quota size requested but no quota support');
  if (names.length === 0) return;
  if (!('device' in options)) throw invalid('missing required option: "device"');
  if (!('type' in options)) throw invalid('missing required option: "type"');
  if (Object.values(options).some((value) => value.includes('\0'))) throw invalid('an option has a NUL byte');
  const { flags } = parseMountOptions(options.o ?? '');
  if ((flags & MS_BIND) === 0 && options.type !== 'tmpfs') {
    throw new NotImplemented(
      `create ${name}: a lab host mounts volumes of type=tmpfs and o=bind only; type "${options.type}" is not possible here`,
    );
  }
}

// mount(2)
const MS_RDONLY = 1;
const MS_BIND = 4096;
const MS_REC = 16384;
const FLAGS = new Map(
  Object.entries({
    ro: MS_RDONLY,
    nosuid: 2,
    nodev: 4,
    noexec: 8,
    sync: 16,
    dirsync: 128,
    noatime: 1024,
    nodiratime: 2048,
    bind: MS_BIND,
    rbind: MS_BIND | MS_REC,
    relatime: 1 << 21,
    strictatime: 1 << 24,
  }),
);
/** Options that take a flag back, or change nothing. */
const CLEARED = new Map(
  Object.entries({
    defaults: 0,
    rw: MS_RDONLY,
    suid: 2,
    dev: 4,
    exec: 8,
    async: 16,
    atime: 1024,
    diratime: 2048,
    norelatime: 1 << 21,
    nostrictatime: 1 << 24,
  }),
);

function parseMountOptions(text: string): { flags: number; data: string } {
  let flags = 0;
  const data: string[] = [];
  for (const option of text.split(',').filter(Boolean)) {
    const [set, cleared] = [FLAGS.get(option), CLEARED.get(option)];
    if (set !== undefined) flags |= set;
    else if (cleared !== undefined) flags &= ~cleared;
    else data.push(option);
  }
  return { flags, data: data.join(',') };
}

/** What its driver mounts, if its options say so. */
export interface DriverMount {
  steps: Step[];
  /** the directory that shows up in the volume; a tmpfs has none */
  device: string | undefined;
  isReadOnly: boolean;
  /** as Docker writes it in errors: `mount DEVICE:DIRECTORY, flags: 0x1000, data: size=1m` */
  description: string;
}

export function driverMount({ name, options }: VolumeRecord): DriverMount | undefined {
  if (!options || Object.keys(options).length === 0) return undefined;
  const { flags, data } = parseMountOptions(options.o ?? '');
  const [path, device = ''] = [volumeData(name), options.device];
  const isBind = (flags & MS_BIND) !== 0;
  const mount: Step = {
    kind: 'mount',
    source: device,
    path,
    fstype: isBind ? 'none' : (options.type ?? ''),
    flags: isBind ? flags & (MS_BIND | MS_REC) : flags,
    ...(isBind ? {} : { data }),
  };
  // A bind takes other flags by a second mount only; mount(8) keeps those that a lab host may not take away.
  const restricts = isBind && (flags & ~(MS_BIND | MS_REC)) !== 0;
  const names = [...FLAGS].filter(([each, flag]) => !/bind/.test(each) && flags & flag).map(([each]) => each);
  const remount: Step = {
    kind: 'exec',
    argv: ['mount', '-o', `remount,bind,${names.join(',')}`, '--', path],
  };
  return {
    steps: restricts ? [mount, remount] : [mount],
    device: isBind ? device : undefined,
    isReadOnly: (flags & MS_RDONLY) !== 0,
    description: [
      `mount ${device}:${path}`,
      ...(flags ? [`flags: 0x${flags.toString(16)}`] : []),
      ...(data ? [`data: ${data}`] : []),
    ].join(', '),
  };
}

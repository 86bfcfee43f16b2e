// What Berth needs of a host that set-up cannot install: tried for real where that is possible, each with what to do.

import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { HOST_PACKAGES, missingPackages } from './debian-packages.ts';
import { hostImageRoot } from './host-image.ts';
import { runProgram } from './program.ts';

/** What a check found. `unknown`: it can only be tried after set-up. */
export interface Finding {
  status: 'ok' | 'missing' | 'unknown';
  found: string;
  /** what to do about it */
  advice?: string;
}

export interface HostCheck {
  name: string;
  /** without it Berth cannot work; the others are for set-up, or a warning */
  isHard: boolean;
  probe(dataDir: string): Promise<Finding>;
}

const KERNEL_WANTED: readonly [number, number] = [5, 19];
const CONTROLLERS_WANTED = ['memory', 'cpu', 'pids'];
const SPACE_WANTED = 3 * 2 ** 30;

/** File systems that take id-mapped mounts, by the name that stat(1) gives, and since which kernel. */
const IDMAPPED_SINCE: Readonly<Record<string, readonly [number, number]>> = {
  'ext2/ext3': [5, 12],
  xfs: [5, 12],
  btrfs: [5, 15],
  f2fs: [5, 18],
  tmpfs: [6, 3],
  bcachefs: [6, 7],
};

const ok = (found: string): Finding => ({ status: 'ok', found });
const missing = (found: string, advice: string): Finding => ({ status: 'missing', found, advice });

/** Every check, the ones first without which the rest cannot be tried. */
export const HOST_CHECKS: readonly HostCheck[] = [
  { name: 'root', isHard: true, probe: async () => checkRoot() },
  { name: 'kernel', isHard: true, probe: async () => checkKernel() },
  { name: 'user namespaces', isHard: true, probe: checkUserNamespaces },
  { name: 'overlay in a user namespace', isHard: true, probe: checkOverlay },
  { name: 'id-mapped mounts', isHard: true, probe: checkIdMapping },
  { name: 'loop devices', isHard: true, probe: checkLoopDevices },
  { name: 'ext4', isHard: true, probe: async () => await checkFileSystem('ext4') },
  { name: 'bridge and veth', isHard: true, probe: checkNetwork },
  { name: 'nftables', isHard: true, probe: checkNftables },
  { name: 'cgroups', isHard: true, probe: checkCgroups },
  { name: 'seccomp', isHard: true, probe: checkSeccomp },
  { name: 'packages', isHard: false, probe: checkPackages },
  { name: 'disk space', isHard: false, probe: checkSpace },
];

function checkRoot(): Finding {
  return process.getuid?.() === 0
    ? ok('running as root')
    : missing(`running as uid ${process.getuid?.() ?? '?'}`, 'run as root: sudo npx berth …');
}

function kernelVersion(): [number, number] {
  const [major = 0, minor = 0] = os
    .release()
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  return [major, minor];
}

function isAtLeast([major, minor]: readonly [number, number], wanted: readonly [number, number]): boolean {
  return major > wanted[0] || (major === wanted[0] && minor >= wanted[1]);
}

function checkKernel(): Finding {
  if (os.platform() !== 'linux') return missing(os.platform(), 'Berth runs on Linux only');
  const found = `Linux ${os.release()}`;
  if (isAtLeast(kernelVersion(), KERNEL_WANTED)) return ok(found);
  return missing(found, `Linux ${KERNEL_WANTED.join('.')} or newer is needed; Debian 12 has 6.1`);
}

async function checkUserNamespaces(): Promise<Finding> {
  const attempt = await tryProgram([
    'unshare',
    '--user',
    '--map-root-user',
    '--mount',
    '--pid',
    '--net',
    '--fork',
    'true',
  ]);
  if (attempt === undefined) return ok('they can be made');
  const limit = (await fs.readFile('/proc/sys/user/max_user_namespaces', 'utf8').catch(() => '')).trim();
  return missing(
    limit === '0' ? 'user.max_user_namespaces is 0' : attempt,
    'allow them: sysctl -w user.max_user_namespaces=65536 (and kernel.unprivileged_userns_clone=1 where it exists); in a container, run Berth on the host itself or in a privileged one',
  );
}

async function checkOverlay(dataDir: string): Promise<Finding> {
  const advice =
    'BERTH_DATA must lie on a file system such as ext4 or xfs, not on an overlay (as in a container); modprobe overlay';
  return await withProbeDir(dataDir, async (dir) => {
    const script =
      'cd "$1" && mkdir l u w m && mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w,userxattr m && touch m/x';
    const attempt = await tryProgram([
      ...['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', script, 'overlay', dir],
    ]);
    return attempt === undefined ? ok('it can be mounted') : missing(attempt, advice);
  });
}

async function checkIdMapping(dataDir: string): Promise<Finding> {
  const place = await existingParent(dataDir);
  const type = (await runProgram(['stat', '--file-system', '--format=%T', place])).trim();
  const since = IDMAPPED_SINCE[type];
  if (since && isAtLeast(kernelVersion(), since)) return ok(`${place} is on ${type}`);
  return missing(`${place} is on ${type}`, 'set BERTH_DATA to a directory on ext4, xfs or btrfs');
}

async function checkLoopDevices(): Promise<Finding> {
  if (!(await exists('/dev/loop-control'))) await tryProgram(['modprobe', 'loop']);
  if (await exists('/dev/loop-control')) return ok('/dev/loop-control is there');
  return missing('no /dev/loop-control', 'modprobe loop; in a container, give it the device');
}

async function checkFileSystem(name: string): Promise<Finding> {
  const isKnown = async (): Promise<boolean> =>
    (await fs.readFile('/proc/filesystems', 'utf8'))
      .split('\n')
      .some((line) => line.trim().split(/\s+/).at(-1) === name);
  if (!(await isKnown())) await tryProgram(['modprobe', name]);
  return (await isKnown())
    ? ok('the kernel knows it')
    : missing('not in /proc/filesystems', `modprobe ${name}`);
}

async function checkNetwork(): Promise<Finding> {
  if (await isCommandMissing('ip')) return { status: 'unknown', found: 'ip is not installed yet' };
  const script =
    'ip link add b0 type bridge && ip link add v0 type veth peer name v1 && ip link set v0 master b0';
  const attempt = await tryProgram(['unshare', '--user', '--map-root-user', '--net', 'sh', '-c', script]);
  return attempt === undefined ? ok('they can be made') : missing(attempt, 'modprobe bridge veth');
}

async function checkNftables(dataDir: string): Promise<Finding> {
  const root = hostImageRoot(dataDir);
  const isInHostImage = await exists(path.join(root, 'usr/sbin/nft'));
  if (!isInHostImage && (await isCommandMissing('nft'))) {
    return { status: 'unknown', found: 'tried once the lab host is built' };
  }
  const rules =
    'add table ip t; add chain ip t c { type nat hook prerouting priority -100; }; add rule ip t c tcp dport 1 dnat to 127.0.0.1:2; add chain ip t p { type nat hook postrouting priority 100; }; add rule ip t p masquerade';
  const attempt = await tryProgram([
    ...['unshare', '--user', '--map-root-user', '--net'],
    ...(isInHostImage ? ['chroot', root] : []),
    ...['nft', rules],
  ]);
  return attempt === undefined
    ? ok('tables, NAT and masquerading work')
    : missing(attempt, 'modprobe nf_tables nft_chain_nat nft_masq nft_ct');
}

async function checkCgroups(): Promise<Finding> {
  const mounts = (await fs.readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  const v1 = new Set(
    mounts.filter((mount) => mount[2] === 'cgroup').flatMap((mount) => mount[3]?.split(',') ?? []),
  );
  const unified = mounts.find((mount) => mount[2] === 'cgroup2')?.[1];
  const v2 = unified
    ? (await fs.readFile(`${unified}/cgroup.controllers`, 'utf8').catch(() => '')).trim().split(' ')
    : [];
  const absent = CONTROLLERS_WANTED.filter((name) => !v1.has(name) && !v2.includes(name));
  const kind = v1.size === 0 ? 'v2' : unified ? 'v1 beside v2' : 'v1';
  if (absent.length === 0) return ok(`${kind} with ${CONTROLLERS_WANTED.join(', ')}`);
  return missing(
    `${kind} without ${absent.join(', ')}`,
    absent.includes('memory')
      ? 'boot with cgroup_enable=memory, or mount the controllers under /sys/fs/cgroup'
      : 'mount the controllers under /sys/fs/cgroup',
  );
}

async function checkSeccomp(): Promise<Finding> {
  const status = await fs.readFile('/proc/self/status', 'utf8');
  return /^Seccomp:/m.test(status)
    ? ok('the kernel has it')
    : missing('absent', 'use a kernel with CONFIG_SECCOMP_FILTER');
}

async function checkPackages(): Promise<Finding> {
  const absent = await missingPackages(HOST_PACKAGES);
  if (absent.length === 0) return ok('all are installed');
  if (await isCommandMissing('apt-get')) {
    return missing(absent.join(' '), 'set-up needs apt-get: Debian 12, 13 or Ubuntu 24.04');
  }
  return missing(absent.join(' '), 'berth setup installs them');
}

async function checkSpace(dataDir: string): Promise<Finding> {
  const place = await existingParent(dataDir);
  const { bavail, bsize } = await fs.statfs(place);
  const free = bavail * bsize;
  const found = `${(free / 2 ** 30).toFixed(1)} GiB free in ${place}`;
  return free >= SPACE_WANTED
    ? ok(found)
    : missing(found, 'set-up takes 1 GiB, and each lab host what its student writes');
}

/** Runs a program; undefined when it succeeded, else what it said, in one line. */
async function tryProgram(argv: string[]): Promise<string | undefined> {
  try {
    await runProgram(argv);
    return undefined;
  } catch (error) {
    const lines = error instanceof Error ? error.message.split('\n') : [String(error)];
    return (lines.at(-1) ?? '').trim();
  }
}

async function isCommandMissing(name: string): Promise<boolean> {
  return (await tryProgram(['sh', '-c', 'command -v "$1"', 'which', name])) !== undefined;
}

async function exists(file: string): Promise<boolean> {
  return await fs.lstat(file).then(
    () => true,
    () => false,
  );
}

/** The nearest directory above (or at) a path that is there. */
async function existingParent(dir: string): Promise<string> {
  let place = path.resolve(dir);
  while (!(await exists(place))) place = path.dirname(place);
  return place;
}

async function withProbeDir<T>(dataDir: string, work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await fs.mkdtemp(path.join(await existingParent(dataDir), '.berth-probe-'));
  try {
    return await work(dir);
  } finally {
    await fs.rm(dir, { recursive: true, force: true });
  }
}

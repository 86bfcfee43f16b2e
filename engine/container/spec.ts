// The OCI runtime configuration of a container: Docker's defaults, and what the user asked for over them.

import os from 'node:os';
import {
  ALL_CAPABILITIES,
  DOCKER_DEFAULT_CAPABILITIES,
  parseCapability,
  SANDBOX_CAPABILITIES,
} from '../runtime/capabilities.ts';
import type { OciLinux, OciMount, OciProcess, OciResources, OciSeccomp, OciSpec } from '../runtime/oci.ts';
import { resolveSeccomp } from '../runtime/seccomp.ts';
import { cgroupPath } from './cgroup.ts';
import type { ContainerConfig, HostConfig } from './config.ts';
import { deviceMounts } from './devices.ts';
import { containerDir, layerDir } from './files.ts';
import type { MountPoint } from './mount-point.ts';
import { rootPropagation } from './propagation.ts';
import type { ContainerRecord } from './record.ts';
import { parseSecurityOptions } from './security.ts';
import type { ProcessUser } from './user.ts';
import { runtimeSource } from './volumes.ts';

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

export const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Where --init finds the init in the container, and whose it is in the lab host. */
const INIT_PATH = '/sbin/docker-init';
const INIT_MOUNT: OciMount = {
  destination: INIT_PATH,
  type: 'bind',
  source: '/usr/bin/tini-static',
  options: ['bind', 'ro'],
};

/** Namespaces of other processes or containers that this one joins, as paths. */
export interface SpecContext {
  user: ProcessUser;
  /** path of its network namespace; absent with --network host */
  netns: string | undefined;
  /** pid in the sandbox whose IPC namespace it joins (--ipc container:x), and likewise for --pid container:x */
  ipcOf: number | undefined;
  pidOf: number | undefined;
  /** directory of the lab host that is its /dev/shm, when that is shared */
  shmSource?: string | undefined;
  /** what links tell of other containers */
  linkVariables?: readonly string[];
  /** the default seccomp profile, containers-common format */
  seccompProfile: unknown;
  /** the kernel accounts swap (memory.memsw on v1) */
  hasSwapLimit: boolean;
}

/** The container's config.json. */
export function containerSpec(record: ContainerRecord, context: SpecContext): OciSpec {
  const { config, hostConfig } = record;
  const capabilities = capabilitiesOf(hostConfig);
  const security = parseSecurityOptions(hostConfig.SecurityOpt ?? []);
  const isPrivileged = hostConfig.Privileged;
  return {
    ociVersion: '1.0.2',
    ...(hostConfig.UTSMode === 'host' ? {} : utsNames(config)),
    root: { path: `${layerDir(record.id)}/merged`, readonly: hostConfig.ReadonlyRootfs },
    process: processOf(record, context, capabilities, security.noNewPrivileges),
    mounts: [
      ...systemMounts(record, isPrivileged, context.shmSource),
      ...fileMounts(record),
      ...userMounts(record),
      ...deviceMounts(hostConfig),
      ...(hostConfig.Init ? [INIT_MOUNT] : []),
    ],
    ...(hostConfig.Annotations ? { annotations: hostConfig.Annotations } : {}),
    linux: {
      namespaces: namespaces(hostConfig, context),
      cgroupsPath: cgroupPath(record.id, hostConfig.CgroupParent),
      resources: resources(hostConfig, context.hasSwapLimit),
      sysctl: sysctls(hostConfig),
      ...seccomp(security.seccomp, isPrivileged, capabilities, context.seccompProfile),
      maskedPaths:
        isPrivileged || security.unconfinedSystemPaths ? [] : (hostConfig.MaskedPaths ?? MASKED_PATHS),
      readonlyPaths:
        isPrivileged || security.unconfinedSystemPaths ? [] : (hostConfig.ReadonlyPaths ?? READONLY_PATHS),
      rootfsPropagation: rootPropagation(record.mounts),
    },
  };
}

function processOf(
  record: ContainerRecord,
  { user, linkVariables = [] }: SpecContext,
  capabilities: string[],
  noNewPrivileges: boolean,
): OciProcess {
  const { config, hostConfig } = record;
  const [height, width] = hostConfig.ConsoleSize;
  return {
    terminal: config.Tty,
    ...(config.Tty && height && width ? { consoleSize: { height, width } } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: [...(hostConfig.Init ? [INIT_PATH, '--'] : []), record.path, ...record.args],
    env: environment(record, user.home, config.Tty, [], linkVariables),
    cwd: config.WorkingDir || '/',
    capabilities: processCapabilities(capabilities, user.uid),
    rlimits: hostConfig.Ulimits.map(({ Name, Soft, Hard }) => ({
      type: `RLIMIT_${Name.toUpperCase()}`,
      soft: Soft,
      hard: Hard,
    })),
    noNewPrivileges,
    ...(hostConfig.OomScoreAdj > 0 ? { oomScoreAdj: hostConfig.OomScoreAdj } : {}),
  };
}

/** The environment of a container's process; `extra` (docker exec -e) goes over the container's own, `linked` below. */
export function environment(
  record: ContainerRecord,
  home: string,
  hasTerminal: boolean,
  extra: readonly string[] = [],
  linked: readonly string[] = [],
): string[] {
  const defaults = [PATH, `HOSTNAME=${record.config.Hostname}`, ...(hasTerminal ? ['TERM=xterm'] : [])];
  const variables = new Map<string, string | undefined>();
  const own = record.config.Env ?? [];
  for (const variable of [...defaults, ...linked, ...own, ...extra]) {
    const equals = variable.indexOf('=');
    variables.set(
      equals < 0 ? variable : variable.slice(0, equals),
      equals < 0 ? undefined : variable.slice(equals + 1),
    );
  }
  if (!variables.get('HOME')) variables.set('HOME', home);
  return [...variables].flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
}

/** A process that is not root starts with the bounding set only, as with Docker. */
export function processCapabilities(
  capabilities: string[],
  uid: number,
): NonNullable<OciProcess['capabilities']> {
  const held = uid === 0 ? capabilities : [];
  return { bounding: capabilities, effective: held, permitted: held };
}

/** The bounding set: Docker's default, --cap-add and --cap-drop; --privileged is all that the sandbox has. */
export function capabilitiesOf(hostConfig: HostConfig): string[] {
  if (hostConfig.Privileged) return [...SANDBOX_CAPABILITIES];
  const names = (list: readonly string[] | null) => {
    const isAll = (list ?? []).some((name) => /^(CAP_)?ALL$/i.test(name));
    return new Set<string>(
      isAll ? ALL_CAPABILITIES : (list ?? []).flatMap((name) => parseCapability(name) ?? []),
    );
  };
  const added = names(hostConfig.CapAdd);
  const dropped = names(hostConfig.CapDrop);
  const isAllAdded = added.size === ALL_CAPABILITIES.length;
  const isAllDropped = dropped.size === ALL_CAPABILITIES.length;
  const base = isAllDropped
    ? [...added]
    : [...DOCKER_DEFAULT_CAPABILITIES.filter((name) => !dropped.has(name)), ...added];
  const wanted = new Set(
    isAllAdded && !isAllDropped ? [...added].filter((name) => !dropped.has(name)) : base,
  );
  // What the sandbox itself lacks cannot be given; crun would refuse the container.
  return SANDBOX_CAPABILITIES.filter((name) => wanted.has(name));
}

function systemMounts(
  record: ContainerRecord,
  isPrivileged: boolean,
  shmSource: string | undefined,
): OciMount[] {
  const { hostConfig } = record;
  const access = isPrivileged ? 'rw' : 'ro';
  const shm = hostConfig.ShmSize || 64 * 2 ** 20;
  const mounts: OciMount[] = [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', access] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [access, 'nosuid', 'noexec', 'nodev'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
  ];
  if (shmSource !== undefined) {
    mounts.push({
      destination: '/dev/shm',
      type: 'bind',
      source: shmSource,
      options: ['rbind', 'nosuid', 'noexec', 'nodev'],
    });
  } else if (hostConfig.IpcMode !== 'none') {
    mounts.push({
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${shm}`],
    });
  }
  return mounts.filter((mount) => !record.mounts.some((own) => own.destination === mount.destination));
}

/** What the uts namespace is called. */
function utsNames({ Hostname, Domainname }: ContainerConfig): Pick<OciSpec, 'hostname' | 'domainname'> {
  return { hostname: Hostname, ...(Domainname === '' ? {} : { domainname: Domainname }) };
}

/** resolv.conf, hostname and hosts, unless the user mounts something there. */
function fileMounts(record: ContainerRecord): OciMount[] {
  const access = record.hostConfig.ReadonlyRootfs ? 'ro' : 'rw';
  const own = new Set(record.mounts.map((point) => point.destination));
  return ['resolv.conf', 'hostname', 'hosts']
    .map((name) => ({
      destination: `/etc/${name}`,
      type: 'bind',
      source: `${containerDir(record.id)}/${name}`,
      options: ['rbind', 'rprivate', access],
    }))
    .filter((mount) => !own.has(mount.destination));
}

function userMounts(record: ContainerRecord): OciMount[] {
  return record.mounts.map((point) => toOciMount(record, point));
}

const TMPFS_DEFAULTS = ['noexec', 'nosuid', 'nodev'];

function toOciMount(record: ContainerRecord, point: MountPoint): OciMount {
  if (point.type !== 'tmpfs') {
    return {
      destination: point.destination,
      type: 'bind',
      source: runtimeSource(record, point),
      options: [
        point.nonRecursive ? 'bind' : 'rbind',
        point.propagation || 'rprivate',
        // crun makes a bind writable, even of what is mounted read-only
        point.writable && !point.isReadOnlyByDriver ? 'rw' : 'ro',
        ...(point.recursiveReadOnly ? ['rro'] : []),
      ],
    };
  }
  // `exec` takes back `noexec` of the defaults, and so on.
  const defaults = TMPFS_DEFAULTS.filter((flag) => !point.options.includes(flag.replace('no', '')));
  return {
    destination: point.destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: [...new Set([...defaults, ...point.options])],
  };
}

function namespaces(hostConfig: HostConfig, context: SpecContext): OciLinux['namespaces'] {
  const list: OciLinux['namespaces'] = [{ type: 'mount' }];
  if (context.netns !== undefined) list.push({ type: 'network', path: context.netns });
  if (hostConfig.UTSMode !== 'host') list.push({ type: 'uts' });
  if (hostConfig.CgroupnsMode !== 'host') list.push({ type: 'cgroup' });
  if (context.pidOf !== undefined) list.push({ type: 'pid', path: `/proc/${context.pidOf}/ns/pid` });
  else if (hostConfig.PidMode !== 'host') list.push({ type: 'pid' });
  if (context.ipcOf !== undefined) list.push({ type: 'ipc', path: `/proc/${context.ipcOf}/ns/ipc` });
  else if (hostConfig.IpcMode !== 'host') list.push({ type: 'ipc' });
  return list;
}

/** Limits as the runtime is told of them; what is not said is left to the kernel. */
export function resources(host: HostConfig, hasSwapLimit: boolean): OciResources {
  const swap = host.MemorySwap !== 0 ? host.MemorySwap : host.Memory * 2;
  const memory = {
    ...(host.Memory > 0 ? { limit: host.Memory } : {}),
    ...(host.Memory > 0 && hasSwapLimit ? { swap } : {}),
    ...(host.MemoryReservation > 0 ? { reservation: host.MemoryReservation } : {}),
    ...(host.MemorySwappiness !== null && host.MemorySwappiness >= 0
      ? { swappiness: host.MemorySwappiness }
      : {}),
    ...(host.OomKillDisable ? { disableOOMKiller: true } : {}),
  };
  const period = host.NanoCpus > 0 ? 100_000 : host.CpuPeriod;
  const quota = host.NanoCpus > 0 ? Math.floor((host.NanoCpus * 100_000) / 1e9) : host.CpuQuota;
  const cpu = {
    ...(host.CpuShares > 0 ? { shares: host.CpuShares } : {}),
    ...(period > 0 ? { period } : {}),
    ...(quota !== 0 ? { quota } : {}),
    ...(host.CpusetCpus !== '' ? { cpus: host.CpusetCpus } : {}),
    ...(host.CpusetMems !== '' ? { mems: host.CpusetMems } : {}),
  };
  return {
    ...(Object.keys(memory).length > 0 ? { memory } : {}),
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...((host.PidsLimit ?? 0) > 0 ? { pids: { limit: host.PidsLimit ?? 0 } } : {}),
  };
}

/** Docker lets every container ping and bind low ports, unless it shares the host's network. */
function sysctls(host: HostConfig): Record<string, string> {
  const isPrivateNetwork = host.NetworkMode !== 'host' && !host.NetworkMode.startsWith('container:');
  const defaults: Record<string, string> = isPrivateNetwork
    ? { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 65535' }
    : {};
  return { ...defaults, ...host.Sysctls };
}

function seccomp(
  wanted: unknown,
  isPrivileged: boolean,
  capabilities: readonly string[],
  defaultProfile: unknown,
): { seccomp?: OciSeccomp } {
  if (wanted === 'unconfined' || (isPrivileged && wanted === undefined)) return {};
  const profile = wanted ?? defaultProfile;
  if (profile === undefined || profile === null) return {};
  return { seccomp: resolveSeccomp(profile, { capabilities, arch: process.arch, kernel: os.release() }) };
}

// The OCI configuration of a sandbox: the lab host that berth-launch starts through crun.

import { SANDBOX_CAPABILITIES } from './capabilities.ts';
import type { OciMount, OciSpec } from './oci.ts';
import { sandboxSeccomp } from './sandbox-seccomp.ts';

/** Where berth-launch stages what the sandbox sees (in its private mount namespace; see launch.c). */
const STAGE = '/run';

/** Ids of a sandbox: 0…65535 inside. */
export const UID_RANGE = 65536;

export const SANDBOX_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What differs from sandbox to sandbox. */
export interface SandboxSpecInput {
  hostname: string;
  uidBase: number;
  /** process.arch */
  arch: string;
  /** argv of PID 1 */
  init: readonly string[];
}

function mount(destination: string, type: string, source: string, ...options: string[]): OciMount {
  return { destination, type, source, options };
}

function bind(name: string, destination: string, ...options: string[]): OciMount {
  return { destination, type: 'bind', source: `${STAGE}/${name}`, options: ['bind', 'nodev', ...options] };
}

const MOUNTS: readonly OciMount[] = [
  mount('/proc', 'proc', 'proc', 'nosuid', 'noexec', 'nodev'),
  mount('/dev', 'tmpfs', 'tmpfs', 'nosuid', 'strictatime', 'mode=755', 'size=65536k'),
  mount(
    '/dev/pts',
    'devpts',
    'devpts',
    'nosuid',
    'noexec',
    'newinstance',
    'ptmxmode=0666',
    'mode=0620',
    'gid=5',
  ),
  mount('/dev/shm', 'tmpfs', 'shm', 'nosuid', 'noexec', 'nodev', 'mode=1777'),
  mount('/dev/mqueue', 'mqueue', 'mqueue', 'nosuid', 'noexec', 'nodev'),
  mount('/sys', 'sysfs', 'sysfs', 'nosuid', 'noexec', 'nodev', 'ro'),
  // controllers are mounted here at boot, from inside: a cgroup namespace's root is its own
  mount('/sys/fs/cgroup', 'tmpfs', 'tmpfs', 'nosuid', 'noexec', 'nodev', 'mode=755'),
  mount('/run', 'tmpfs', 'tmpfs', 'nosuid', 'nodev', 'mode=755'),
  mount('/tmp', 'tmpfs', 'tmpfs', 'nosuid', 'nodev', 'mode=1777', 'size=256m'),
  bind('shared', '/run/berth', 'ro', 'nosuid', 'noexec'),
  // /var/lib/docker and the shared layers in it are part of the root that berth-launch has mounted
  bind('berth-init', '/usr/sbin/berth-init', 'ro', 'nosuid'),
];

/** config.json of a sandbox, for `crun run --bundle`. */
export function sandboxSpec(input: SandboxSpecInput): OciSpec {
  const capabilities = [...SANDBOX_CAPABILITIES];
  const range = [{ containerID: 0, hostID: input.uidBase, size: UID_RANGE }];
  return {
    ociVersion: '1.0.2',
    hostname: input.hostname,
    root: { path: `${STAGE}/root` },
    process: {
      user: { uid: 0, gid: 0 },
      args: [...input.init],
      env: [`PATH=${SANDBOX_PATH}`, 'container=berth'],
      cwd: '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      // 1 is the one value at which the kernel hands a crash to no program of the host (core(5), "piping core dumps")
      rlimits: [{ type: 'RLIMIT_CORE', soft: 1, hard: 1 }],
    },
    mounts: MOUNTS.map((entry) => ({ ...entry })),
    linux: {
      namespaces: [
        // berth-launch made it, as the sandbox's own id: one that crun made would be counted as root's
        { type: 'user', path: `${STAGE}/userns` },
        ...(['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'] as const).map((type) => ({ type })),
      ],
      uidMappings: range,
      gidMappings: range,
      seccomp: sandboxSeccomp(input.arch),
    },
  };
}

/** crun's argv, run by berth-launch once the stage is set; its state lies on the stage and goes with it. */
export function sandboxRuntimeArgs(id: string): string[] {
  return [
    'crun',
    '--root',
    `${STAGE}/crun`,
    '--cgroup-manager=disabled',
    '--log',
    `${STAGE}/log`,
    'run',
    '--detach',
    '--pid-file',
    `${STAGE}/pid`,
    '--preserve-fds',
    '1',
    '--bundle',
    `${STAGE}/bundle`,
    id,
  ];
}

// What the engine's upper parts know of a sandbox: its identity, its limits, and the way to its PID 1.

import type { Limits } from '../settings.ts';
import type { InitApi } from './init-types.ts';

/** Where things lie inside every sandbox; fixed, so that upper parts need no configuration. */
export const IN_SANDBOX = {
  /** the student's own disk: containers, private layers, volumes */
  dockerRoot: '/var/lib/docker',
  /** unpacked shared layers, read-only: one directory a layer, see engine/image/layer.ts */
  sharedLayers: '/var/lib/docker/shared',
  /** tmpfs: bundles, namespaces, sockets of consoles */
  run: '/run/docker',
  /** crun's --root */
  crunRoot: '/run/crun',
  cgroup: '/sys/fs/cgroup',
} as const;

/** A sandbox that exists; `init` throws Unavailable while its PID 1 is not reachable. */
export interface Sandbox {
  readonly id: string;
  readonly name: string;
  readonly hostname: string;
  readonly limits: Limits;
  /** host uid and gid of its root */
  readonly uidBase: number;
  readonly cgroupVersion: 1 | 2;
  /** v1: the controllers mounted in it, each at /sys/fs/cgroup/<name>; v2: [] */
  readonly cgroupControllers: readonly string[];
  /** host directory, root only, for the engine's records of this sandbox; removed with it, emptied by reset */
  readonly stateDir: string;
  /** host path of its Docker socket */
  readonly dockerSocket: string;
  /** frozen: its processes stand still, PID 1 too, and nothing in it answers */
  readonly state: 'running' | 'frozen' | 'stopped';
  readonly init: InitApi;
}

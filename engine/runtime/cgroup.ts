// What a sandbox's cgroup can be asked, whichever version the host has.

import type { Limits } from '../settings.ts';

/** A step that mounts the sandbox's view of its cgroups from inside, at its boot. */
export type CgroupBootStep =
  | { kind: 'mkdir'; path: string }
  | { kind: 'mount'; source: string; path: string; fstype: string; data?: string }
  | { kind: 'symlink'; target: string; path: string }
  | { kind: 'write'; path: string; data: string; plain: true };

/** What a sandbox uses at this moment. */
export interface CgroupUsage {
  /** bytes, less file cache that could go at once (as `docker stats` counts) */
  memory: number;
  /** processes and threads */
  pids: number;
  /** nanoseconds of processor time since its start */
  cpu: number;
}

/**
 * The cgroups of sandboxes: for each an outer directory with the limits, root's own, and in it an inner one that is
 * delegated to the sandbox's root and is the root of its cgroup namespace.
 */
export interface CgroupDriver {
  readonly version: 1 | 2;
  /** v1: names of the directories under /sys/fs/cgroup in the sandbox; v2: [] */
  readonly controllers: readonly string[];
  /** the host's own cgroup file system must be hidden from crun */
  readonly hideFromRuntime: boolean;
  create(id: string, limits: Limits, owner: number): Promise<void>;
  /** the cgroup.procs files that a process writes itself into to be in the sandbox */
  joinFiles(id: string): string[];
  freeze(id: string): Promise<void>;
  thaw(id: string): Promise<void>;
  isFrozen(id: string): Promise<boolean>;
  /** undefined when it has no cgroup */
  usage(id: string): Promise<CgroupUsage | undefined>;
  /** host pids of everything in it, with the cgroup path below the inner directory */
  processes(id: string): Promise<{ pid: number; cgroup: string }[]>;
  /** kills everything in it and waits until it is gone */
  kill(id: string): Promise<void>;
  /** removes the directories, which must hold no process; absent is fine */
  remove(id: string): Promise<void>;
  /** ids that have a directory */
  list(): Promise<string[]>;
  bootSteps(): CgroupBootStep[];
  /** The engine ends: removes the directory of all sandboxes where there are none. */
  dispose(): Promise<void>;
}

/** The delegated directory in a sandbox's own. */
export const CGROUP_INNER = 'lab';

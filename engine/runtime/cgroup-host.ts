// Which cgroup version and controllers this host has.

import { readFile } from 'node:fs/promises';
import type { CgroupDriver } from './cgroup.ts';
import { CgroupV1 } from './cgroup-v1.ts';
import { CgroupV2 } from './cgroup-v2.ts';

/** One mounted hierarchy as /proc/self/mountinfo shows it. */
export interface CgroupMount {
  fstype: 'cgroup' | 'cgroup2';
  mountPoint: string;
  /** v1: the controllers bound to it */
  controllers: string[];
}

/** v1 controllers that a sandbox is confined by or that nested containers use. */
const V1_CONTROLLERS = new Set([
  'memory',
  'cpu',
  'cpuacct',
  'cpuset',
  'pids',
  'freezer',
  'blkio',
  'devices',
  'hugetlb',
  'net_cls',
  'net_prio',
  'perf_event',
]);

/** Reads the hierarchies from the text of /proc/self/mountinfo; only those mounted from their root count. */
export function parseCgroupMounts(mountinfo: string): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const [, , , root, mountPoint] = left.split(' ');
    const [fstype, , superOptions = ''] = right.split(' ');
    if ((fstype !== 'cgroup' && fstype !== 'cgroup2') || root !== '/' || !mountPoint) continue;
    if (mounts.some((mount) => mount.mountPoint === mountPoint)) continue;
    const controllers = superOptions.split(',').filter((option) => V1_CONTROLLERS.has(option));
    if (fstype === 'cgroup' && controllers.length === 0) continue;
    mounts.push({ fstype, mountPoint, controllers });
  }
  return mounts;
}

/**
 * The driver for this host: v1 where its controllers are mounted (also beside an almost empty v2), otherwise v2.
 *
 * @param parent name of the directory for all sandboxes of one engine; it lies at the root of each hierarchy,
 *   whatever cgroup the engine itself runs in, so that the engine's own limits are not the sandboxes'
 */
export async function openCgroups(parent: string): Promise<CgroupDriver> {
  const mounts = parseCgroupMounts(await readFile('/proc/self/mountinfo', 'utf8'));
  const v1 = mounts.filter((mount) => mount.fstype === 'cgroup');
  const v2 = mounts.find((mount) => mount.fstype === 'cgroup2');
  if (v1.length > 0) {
    const driver = new CgroupV1(
      v1.map(({ mountPoint, controllers }) => ({ mountPoint, controllers })),
      parent,
    );
    const missing = ['memory', 'cpu', 'pids', 'freezer'].filter((name) => !driver.has(name));
    if (missing.length > 0) throw new Error(`cgroup v1 lacks the controllers ${missing.join(', ')}`);
    await driver.prepare();
    return driver;
  }
  if (!v2) throw new Error('no cgroup file system is mounted; mount cgroup2 at /sys/fs/cgroup');
  const driver = new CgroupV2(v2.mountPoint, parent);
  await driver.prepare();
  return driver;
}

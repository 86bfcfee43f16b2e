// Sandboxes on cgroup v1: one directory in each controller's hierarchy.

import path from 'node:path';
import type { Limits } from '../settings.ts';
import { CGROUP_INNER, type CgroupBootStep, type CgroupDriver, type CgroupUsage } from './cgroup.ts';
import {
  delegate,
  ensureDirectory,
  killProcess,
  parsePids,
  readControl,
  removeCgroups,
  removeIfEmpty,
  sleep,
  subdirectories,
  waitUntilEmpty,
  walkCgroups,
  writeControl,
  writeControlIfPresent,
} from './cgroup-files.ts';

const CPU_PERIOD = 100_000;

/** Device nodes that may be opened: character devices by number, as crun's defaults without tun and fuse. */
const DEVICES = ['c 1:3', 'c 1:5', 'c 1:7', 'c 1:8', 'c 1:9', 'c 5:0', 'c 5:2', 'c 136:*'];

/** A mounted hierarchy: `cpu,cpuacct` may share one. */
export interface Hierarchy {
  mountPoint: string;
  controllers: string[];
}

/** The delegated files of a v1 cgroup: moving processes, nothing that limits. */
const DELEGATED = ['cgroup.procs', 'tasks'];

export class CgroupV1 implements CgroupDriver {
  readonly version = 1;
  readonly hideFromRuntime = true;
  readonly controllers: readonly string[];
  readonly #hierarchies: readonly Hierarchy[];

  readonly #parent: string;

  /** @param parent name of the directory that holds all sandboxes, at the root of each hierarchy */
  constructor(hierarchies: readonly Hierarchy[], parent: string) {
    this.#parent = parent;
    this.#hierarchies = hierarchies;
    this.controllers = hierarchies.flatMap((hierarchy) => hierarchy.controllers);
  }

  has(controller: string): boolean {
    return this.controllers.includes(controller);
  }

  /** Makes the parent of all sandboxes in each hierarchy. */
  async prepare(): Promise<void> {
    for (const hierarchy of this.#hierarchies) {
      const parent = path.join(hierarchy.mountPoint, this.#parent);
      await ensureDirectory(parent);
      await inheritCpuset(hierarchy.mountPoint, parent);
    }
  }

  async create(id: string, limits: Limits, owner: number): Promise<void> {
    await this.prepare();
    for (const hierarchy of this.#hierarchies) {
      const outer = this.#outer(hierarchy, id);
      await ensureDirectory(outer);
      await inheritCpuset(path.dirname(outer), outer);
    }
    // before there are children: a devices cgroup with children cannot deny all any more
    await this.#limit(id, limits);
    for (const hierarchy of this.#hierarchies) {
      const inner = path.join(this.#outer(hierarchy, id), CGROUP_INNER);
      await ensureDirectory(inner);
      await inheritCpuset(path.dirname(inner), inner);
      await delegate(inner, DELEGATED, owner);
    }
    // shown inside as the lab host's own limit; root's, so that it cannot be raised there either
    await limitMemory(path.join(this.#controller('memory', id), CGROUP_INNER), limits.memory);
  }

  async #limit(id: string, limits: Limits): Promise<void> {
    await limitMemory(this.#controller('memory', id), limits.memory);
    const cpu = this.#controller('cpu', id);
    await writeControl(path.join(cpu, 'cpu.cfs_period_us'), String(CPU_PERIOD));
    await writeControl(
      path.join(cpu, 'cpu.cfs_quota_us'),
      String(Math.max(1000, Math.round(limits.cpus * CPU_PERIOD))),
    );
    await writeControl(path.join(this.#controller('pids', id), 'pids.max'), String(limits.pids));
    if (this.has('blkio'))
      await writeControlIfPresent(path.join(this.#controller('blkio', id), 'blkio.weight'), '500');
    if (this.has('devices')) {
      const devices = this.#controller('devices', id);
      await writeControl(path.join(devices, 'devices.deny'), 'a');
      for (const device of DEVICES) await writeControl(path.join(devices, 'devices.allow'), `${device} rwm`);
    }
  }

  joinFiles(id: string): string[] {
    return this.#hierarchies.map((hierarchy) =>
      path.join(this.#outer(hierarchy, id), CGROUP_INNER, 'cgroup.procs'),
    );
  }

  async freeze(id: string): Promise<void> {
    await this.#setFrozen(id, 'FROZEN');
  }

  async thaw(id: string): Promise<void> {
    await this.#setFrozen(id, 'THAWED');
  }

  async #setFrozen(id: string, state: 'FROZEN' | 'THAWED'): Promise<void> {
    const file = path.join(this.#controller('freezer', id), 'freezer.state');
    const deadline = Date.now() + 5000;
    for (;;) {
      await writeControl(file, state);
      if ((await readControl(file)) === state) return;
      if (Date.now() > deadline) throw new Error(`${file} does not become ${state}`);
      await sleep(5);
    }
  }

  async isFrozen(id: string): Promise<boolean> {
    const state = await readControl(path.join(this.#controller('freezer', id), 'freezer.state'));
    return state === 'FROZEN' || state === 'FREEZING';
  }

  async usage(id: string): Promise<CgroupUsage | undefined> {
    const memory = this.#controller('memory', id);
    const used = await readControl(path.join(memory, 'memory.usage_in_bytes'));
    if (used === undefined) return undefined;
    const stat = await readControl(path.join(memory, 'memory.stat'));
    const cache = Number(/^total_inactive_file (\d+)$/m.exec(stat ?? '')?.[1] ?? 0);
    const pids = await readControl(path.join(this.#controller('pids', id), 'pids.current'));
    const cpu = this.has('cpuacct')
      ? await readControl(path.join(this.#controller('cpuacct', id), 'cpuacct.usage'))
      : undefined;
    return { memory: Math.max(0, Number(used) - cache), pids: Number(pids ?? 0), cpu: Number(cpu ?? 0) };
  }

  async processes(id: string): Promise<{ pid: number; cgroup: string }[]> {
    const inner = path.join(this.#controller('pids', id), CGROUP_INNER);
    const found: { pid: number; cgroup: string }[] = [];
    for (const relative of await walkCgroups(inner)) {
      const pids = parsePids(await readControl(path.join(inner, relative, 'cgroup.procs')));
      found.push(...pids.map((pid) => ({ pid, cgroup: `/${relative}` })));
    }
    return found;
  }

  async kill(id: string): Promise<void> {
    const outer = this.#controller('pids', id);
    if ((await readControl(path.join(outer, 'pids.max'))) === undefined) return;
    await waitUntilEmpty(async () => {
      const pids = await this.#allPids(outer);
      pids.forEach(killProcess);
      if (pids.length > 0) await this.#thawAll(id);
      return pids.length === 0;
    }, outer);
  }

  /** A frozen v1 process does not see its SIGKILL before it is thawed; the student may have frozen some (docker pause). */
  async #thawAll(id: string): Promise<void> {
    const outer = this.#controller('freezer', id);
    for (const relative of await walkCgroups(outer)) {
      const file = path.join(outer, relative, 'freezer.state');
      // a cgroup may be removed while we walk
      if ((await readControl(file)) !== undefined) await writeControl(file, 'THAWED').catch(() => undefined);
    }
  }

  async #allPids(directory: string): Promise<number[]> {
    const pids: number[] = [];
    for (const relative of await walkCgroups(directory)) {
      pids.push(...parsePids(await readControl(path.join(directory, relative, 'cgroup.procs'))));
    }
    return pids;
  }

  async remove(id: string): Promise<void> {
    for (const hierarchy of this.#hierarchies) await removeCgroups(this.#outer(hierarchy, id));
  }

  async list(): Promise<string[]> {
    const lists = this.#hierarchies.map(({ mountPoint }) =>
      subdirectories(path.join(mountPoint, this.#parent)),
    );
    return [...new Set((await Promise.all(lists)).flat())];
  }

  bootSteps(): CgroupBootStep[] {
    return this.#hierarchies.flatMap(({ controllers }): CgroupBootStep[] => {
      const name = controllers.join(',');
      const directory = `/sys/fs/cgroup/${name}`;
      const links = controllers.length > 1 ? controllers : [];
      return [
        { kind: 'mkdir', path: directory },
        { kind: 'mount', source: 'cgroup', path: directory, fstype: 'cgroup', data: name },
        ...links.map(
          (link): CgroupBootStep => ({ kind: 'symlink', target: name, path: `/sys/fs/cgroup/${link}` }),
        ),
      ];
    });
  }

  async dispose(): Promise<void> {
    for (const { mountPoint } of this.#hierarchies) await removeIfEmpty(path.join(mountPoint, this.#parent));
  }

  #outer(hierarchy: Hierarchy, id: string): string {
    return path.join(hierarchy.mountPoint, this.#parent, id);
  }

  #controller(name: string, id: string): string {
    const hierarchy = this.#hierarchies.find(({ controllers }) => controllers.includes(name));
    if (!hierarchy) throw new Error(`cgroup v1 controller ${name} is not mounted`);
    return this.#outer(hierarchy, id);
  }
}

/**
 * A new cpuset has no processors, and lets nobody in until it has. Those below it copy its own, in a sandbox too,
 * where crun may not read-write the root's files to do so itself.
 */
async function inheritCpuset(parent: string, child: string): Promise<void> {
  let isCpuset = false;
  for (const name of ['cpuset.cpus', 'cpuset.mems']) {
    const current = await readControl(path.join(child, name));
    isCpuset ||= current !== undefined;
    if (current === '')
      await writeControl(path.join(child, name), (await readControl(path.join(parent, name))) ?? '');
  }
  if (isCpuset) await writeControl(path.join(child, 'cgroup.clone_children'), '1');
}

/** Memory and swap together are bounded by `bytes`; idle pages may go to swap. */
async function limitMemory(directory: string, bytes: number): Promise<void> {
  const limit = path.join(directory, 'memory.limit_in_bytes');
  const withSwap = path.join(directory, 'memory.memsw.limit_in_bytes');
  const current = Number((await readControl(withSwap)) ?? Number.POSITIVE_INFINITY);
  // the kernel refuses limit > memsw at every moment, so growing starts with memsw
  const order = bytes > current ? [withSwap, limit] : [limit, withSwap];
  for (const file of order) await writeControlIfPresent(file, String(bytes));
  if ((await readControl(limit)) === undefined) throw new Error(`${limit} is missing`);
}

// Sandboxes on cgroup v2: one directory, whose inner one is delegated (cgroup-v2.rst, "Delegation").

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
/** What a sandbox is confined by, and what it may confine its containers by. */
const WANTED = ['cpuset', 'cpu', 'io', 'memory', 'pids', 'hugetlb'];
const NEEDED = ['cpu', 'memory', 'pids'];
/** As /sys/kernel/cgroup/delegate lists them, without the pressure files. */
const DELEGATED = ['cgroup.procs', 'cgroup.threads', 'cgroup.subtree_control', 'memory.oom.group'];

export class CgroupV2 implements CgroupDriver {
  readonly version = 2;
  readonly controllers: readonly string[] = [];
  readonly hideFromRuntime = false;
  readonly #root: string;

  readonly #parent: string;

  /**
   * @param root where cgroup2 is mounted
   * @param parent name of the directory in it that holds all sandboxes
   */
  constructor(root: string, parent: string) {
    this.#root = root;
    this.#parent = parent;
  }

  /** Enables the controllers from the root down; throws when one that limits is missing. */
  async prepare(): Promise<void> {
    const parent = path.join(this.#root, this.#parent);
    await ensureDirectory(parent);
    const available = await this.#enable(this.#root);
    const missing = NEEDED.filter((name) => !available.includes(name));
    if (missing.length > 0) throw new Error(`cgroup v2 lacks the controllers ${missing.join(', ')}`);
    await this.#enable(parent);
  }

  /** Hands every wanted controller that a directory has on to its children. */
  async #enable(directory: string): Promise<string[]> {
    const words = async (name: string) =>
      ((await readControl(path.join(directory, name))) ?? '').split(/\s+/);
    const available = (await words('cgroup.controllers')).filter((name) => WANTED.includes(name));
    const enabled = await words('cgroup.subtree_control');
    const change = available.filter((name) => !enabled.includes(name)).map((name) => `+${name}`);
    if (change.length > 0)
      await writeControl(path.join(directory, 'cgroup.subtree_control'), change.join(' '));
    return available;
  }

  async create(id: string, limits: Limits, owner: number): Promise<void> {
    await this.prepare();
    const outer = this.#outer(id);
    const inner = path.join(outer, CGROUP_INNER);
    await ensureDirectory(outer);
    await this.#enable(outer);
    await ensureDirectory(inner);
    await writeControlIfPresent(path.join(outer, 'cgroup.max.descendants'), '4096');
    await writeControl(path.join(outer, 'memory.max'), String(limits.memory));
    await writeControlIfPresent(path.join(outer, 'memory.swap.max'), '0');
    await writeControl(
      path.join(outer, 'cpu.max'),
      `${Math.max(1000, Math.round(limits.cpus * CPU_PERIOD))} ${CPU_PERIOD}`,
    );
    await writeControl(path.join(outer, 'pids.max'), String(limits.pids));
    // shown inside as the lab host's own limit; the files stay root's, so they cannot be raised there either
    await writeControl(path.join(inner, 'memory.max'), String(limits.memory));
    await delegate(inner, DELEGATED, owner);
  }

  joinFiles(id: string): string[] {
    return [path.join(this.#outer(id), CGROUP_INNER, 'cgroup.procs')];
  }

  async freeze(id: string): Promise<void> {
    await this.#setFrozen(id, true);
  }

  async thaw(id: string): Promise<void> {
    await this.#setFrozen(id, false);
  }

  async #setFrozen(id: string, frozen: boolean): Promise<void> {
    const wanted = frozen ? '1' : '0';
    await writeControl(path.join(this.#outer(id), 'cgroup.freeze'), wanted);
    const deadline = Date.now() + 5000;
    while ((await this.#event(id, 'frozen')) !== wanted) {
      if (Date.now() > deadline)
        throw new Error(`cgroup ${this.#outer(id)} does not ${frozen ? 'freeze' : 'thaw'}`);
      await sleep(5);
    }
  }

  async #event(id: string, name: string): Promise<string | undefined> {
    const events = await readControl(path.join(this.#outer(id), 'cgroup.events'));
    return events
      ?.split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length + 1);
  }

  async isFrozen(id: string): Promise<boolean> {
    return (await readControl(path.join(this.#outer(id), 'cgroup.freeze'))) === '1';
  }

  async usage(id: string): Promise<CgroupUsage | undefined> {
    const outer = this.#outer(id);
    const used = await readControl(path.join(outer, 'memory.current'));
    if (used === undefined) return undefined;
    const stat = await readControl(path.join(outer, 'memory.stat'));
    const cache = Number(/^inactive_file (\d+)$/m.exec(stat ?? '')?.[1] ?? 0);
    const pids = Number((await readControl(path.join(outer, 'pids.current'))) ?? 0);
    const cpu = await readControl(path.join(outer, 'cpu.stat'));
    const microseconds = Number(/^usage_usec (\d+)$/m.exec(cpu ?? '')?.[1] ?? 0);
    return { memory: Math.max(0, Number(used) - cache), pids, cpu: microseconds * 1000 };
  }

  async processes(id: string): Promise<{ pid: number; cgroup: string }[]> {
    const inner = path.join(this.#outer(id), CGROUP_INNER);
    const found: { pid: number; cgroup: string }[] = [];
    for (const relative of await walkCgroups(inner)) {
      const pids = parsePids(await readControl(path.join(inner, relative, 'cgroup.procs')));
      found.push(...pids.map((pid) => ({ pid, cgroup: `/${relative}` })));
    }
    return found;
  }

  async kill(id: string): Promise<void> {
    const outer = this.#outer(id);
    if ((await readControl(path.join(outer, 'cgroup.events'))) === undefined) return;
    // cgroup.kill (Linux 5.14) reaches frozen processes too, and misses none that is being forked
    const atOnce = await writeControlIfPresent(path.join(outer, 'cgroup.kill'), '1');
    await waitUntilEmpty(async () => {
      if (!atOnce) for (const { pid } of await this.processes(id)) killProcess(pid);
      return (await this.#event(id, 'populated')) !== '1';
    }, outer);
  }

  async remove(id: string): Promise<void> {
    await removeCgroups(this.#outer(id));
  }

  async list(): Promise<string[]> {
    return subdirectories(path.join(this.#root, this.#parent));
  }

  /** PID 1 leaves the namespace's root for a leaf, since a cgroup with processes cannot hand controllers on. */
  bootSteps(): CgroupBootStep[] {
    const root = '/sys/fs/cgroup';
    const write = (name: string, data: string): CgroupBootStep => {
      return { kind: 'write', path: `${root}/${name}`, data, plain: true };
    };
    return [
      { kind: 'mount', source: 'cgroup2', path: root, fstype: 'cgroup2' },
      { kind: 'mkdir', path: `${root}/init` },
      write('init/cgroup.procs', '1'),
      // the process that executes these steps
      write('init/cgroup.procs', '0'),
      ...NEEDED.map((name) => write('cgroup.subtree_control', `+${name}`)),
    ];
  }

  dispose(): Promise<void> {
    return removeIfEmpty(path.join(this.#root, this.#parent));
  }

  #outer(id: string): string {
    return path.join(this.#root, this.#parent, id);
  }
}

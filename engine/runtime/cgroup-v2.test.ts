import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CgroupV2 } from './cgroup-v2.ts';

// A directory tree with the kernel's file names stands for cgroupfs: these tests hold which file gets which value.

const limits = { memory: 512 * 2 ** 20, cpus: 1.5, pids: 300, disk: 2 ** 30 };
const FILES = [
  'cgroup.procs',
  'cgroup.threads',
  'cgroup.subtree_control',
  'cgroup.freeze',
  'memory.max',
  'memory.swap.max',
  'cpu.max',
  'pids.max',
];
const owner = process.getuid?.() ?? 0;
let root: string;

async function control(relative: string): Promise<string> {
  return readFile(path.join(root, relative), 'utf8');
}

/** What the kernel does at mkdir. */
async function makeCgroup(relative: string): Promise<void> {
  const directory = path.join(root, relative);
  await mkdir(directory, { recursive: true });
  for (const file of FILES) await writeFile(path.join(directory, file), '');
  await writeFile(path.join(directory, 'cgroup.controllers'), 'cpuset cpu io memory pids\n');
  await writeFile(path.join(directory, 'cgroup.events'), 'populated 0\nfrozen 0\n');
}

beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'berth-cgroup-'));
  for (const relative of ['', 'berth', 'berth/s1', 'berth/s1/lab']) await makeCgroup(relative);
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('a sandbox on cgroup v2', () => {
  it('gets every controller handed down from the root', async () => {
    await new CgroupV2(root, 'berth').create('s1', limits, owner);
    for (const relative of ['', 'berth', 'berth/s1']) {
      expect(await control(path.join(relative, 'cgroup.subtree_control'))).toBe(
        '+cpuset +cpu +io +memory +pids',
      );
    }
    expect(await control('berth/s1/lab/cgroup.subtree_control')).toBe('');
  });

  it('is limited on the outer directory', async () => {
    await new CgroupV2(root, 'berth').create('s1', limits, owner);
    expect(await control('berth/s1/memory.max')).toBe('536870912');
    expect(await control('berth/s1/memory.swap.max')).toBe('0');
    expect(await control('berth/s1/cpu.max')).toBe('150000 100000');
    expect(await control('berth/s1/pids.max')).toBe('300');
  });

  it.skipIf(owner !== 0)('hands over the inner directory, and no file that limits', async () => {
    await new CgroupV2(root, 'berth').create('s1', limits, 300_000);
    const ownerOf = async (relative: string) => (await stat(path.join(root, relative))).uid;
    for (const name of ['', 'cgroup.procs', 'cgroup.threads', 'cgroup.subtree_control']) {
      expect(await ownerOf(path.join('berth/s1/lab', name))).toBe(300_000);
    }
    for (const name of [
      'berth/s1',
      'berth/s1/cgroup.procs',
      'berth/s1/memory.max',
      'berth/s1/lab/memory.max',
    ]) {
      expect(await ownerOf(name)).toBe(0);
    }
  });

  it('says which controllers are missing', async () => {
    await writeFile(path.join(root, 'cgroup.controllers'), 'cpu\n');
    await expect(new CgroupV2(root, 'berth').prepare()).rejects.toThrow('lacks the controllers memory, pids');
  });

  it('is joined in the inner directory', () => {
    expect(new CgroupV2(root, 'berth').joinFiles('s1')).toEqual([
      path.join(root, 'berth/s1/lab/cgroup.procs'),
    ]);
  });

  it('freezes, and waits until it is frozen', async () => {
    const driver = new CgroupV2(root, 'berth');
    const frozen = driver.freeze('s1');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await control('berth/s1/cgroup.freeze')).toBe('1');
    await writeFile(path.join(root, 'berth/s1/cgroup.events'), 'populated 1\nfrozen 1\n');
    await frozen;
    expect(await driver.isFrozen('s1')).toBe(true);
  });

  it('tells usage less the cache that could go', async () => {
    await writeFile(path.join(root, 'berth/s1/memory.current'), '9000\n');
    await writeFile(path.join(root, 'berth/s1/memory.stat'), 'anon 1\ninactive_file 4000\nactive_file 7\n');
    await writeFile(path.join(root, 'berth/s1/pids.current'), '12\n');
    await writeFile(path.join(root, 'berth/s1/cpu.stat'), 'usage_usec 5\nuser_usec 3\n');
    const driver = new CgroupV2(root, 'berth');
    expect(await driver.usage('s1')).toEqual({ memory: 5000, pids: 12, cpu: 5000 });
    expect(await driver.usage('none')).toBeUndefined();
  });

  it('lists processes with the path that the sandbox sees', async () => {
    await makeCgroup('berth/s1/lab/docker/c1');
    await writeFile(path.join(root, 'berth/s1/lab/cgroup.procs'), '10\n');
    await writeFile(path.join(root, 'berth/s1/lab/docker/c1/cgroup.procs'), '11\n12\n');
    expect(await new CgroupV2(root, 'berth').processes('s1')).toEqual([
      { pid: 10, cgroup: '/' },
      { pid: 11, cgroup: '/docker/c1' },
      { pid: 12, cgroup: '/docker/c1' },
    ]);
  });

  it('is killed at once where the kernel can', async () => {
    await writeFile(path.join(root, 'berth/s1/cgroup.kill'), '');
    await new CgroupV2(root, 'berth').kill('s1');
    expect(await control('berth/s1/cgroup.kill')).toBe('1');
  });

  it('is found in the list of all', async () => {
    expect(await new CgroupV2(root, 'berth').list()).toEqual(['s1']);
    expect(await new CgroupV2(root, 'other').list()).toEqual([]);
  });

  it('moves its PID 1 to a leaf at boot, so that controllers can be handed on', () => {
    const steps = new CgroupV2(root, 'berth').bootSteps();
    const writes = steps.flatMap((step) => (step.kind === 'write' ? [`${step.path} ${step.data}`] : []));
    expect(steps[0]).toMatchObject({ kind: 'mount', fstype: 'cgroup2', path: '/sys/fs/cgroup' });
    expect(writes.indexOf('/sys/fs/cgroup/init/cgroup.procs 1')).toBeLessThan(
      writes.indexOf('/sys/fs/cgroup/cgroup.subtree_control +memory'),
    );
  });
});

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CgroupDriver } from './cgroup.ts';
import { openCgroups, parseCgroupMounts } from './cgroup-host.ts';

const MOUNTINFO = `
29 28 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - tmpfs tmpfs rw,mode=755
30 29 0:27 / /sys/fs/cgroup/unified rw shared:5 - cgroup2 cgroup2 rw
31 29 0:28 / /sys/fs/cgroup/systemd rw shared:6 - cgroup cgroup rw,xattr,name=systemd
32 29 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:7 - cgroup cgroup rw,cpu,cpuacct
33 29 0:30 / /sys/fs/cgroup/memory rw shared:8 - cgroup cgroup rw,memory
34 29 0:30 /docker/x /mnt/elsewhere rw - cgroup cgroup rw,memory
`;

describe('finding cgroup hierarchies', () => {
  it('takes those that are mounted from their root and have controllers', () => {
    expect(parseCgroupMounts(MOUNTINFO)).toEqual([
      { fstype: 'cgroup2', mountPoint: '/sys/fs/cgroup/unified', controllers: [] },
      { fstype: 'cgroup', mountPoint: '/sys/fs/cgroup/cpu,cpuacct', controllers: ['cpu', 'cpuacct'] },
      { fstype: 'cgroup', mountPoint: '/sys/fs/cgroup/memory', controllers: ['memory'] },
    ]);
  });
});

const hasV1 = parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8')).some(
  (mount) => mount.fstype === 'cgroup',
);
const missing = process.getuid?.() !== 0 ? 'needs root' : hasV1 ? undefined : 'this host has no cgroup v1';

describe.skipIf(missing)(`a sandbox on cgroup v1${missing ? ` (${missing})` : ''}`, () => {
  const parent = `berth-test-${randomBytes(4).toString('hex')}`;
  const owner = 400_000;
  const limits = { memory: 256 * 2 ** 20, cpus: 0.5, pids: 100, disk: 2 ** 30 };
  let driver: CgroupDriver;

  const at = (controller: string, ...rest: string[]) => {
    const mount = parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8')).find((entry) =>
      entry.controllers.includes(controller),
    );
    return path.join(mount?.mountPoint ?? '/nowhere', parent, ...rest);
  };
  const value = async (file: string) => (await readFile(file, 'utf8')).trim();

  beforeAll(async () => {
    driver = await openCgroups(parent);
    await driver.create('s1', limits, owner);
  });
  afterAll(async () => {
    await driver.kill('s1');
    await driver.remove('s1');
    await driver.dispose();
    for (const controller of driver.controllers) expect(existsSync(at(controller))).toBe(false);
  });

  it('is limited on the outer directory', async () => {
    expect(await value(at('memory', 's1', 'memory.limit_in_bytes'))).toBe(String(limits.memory));
    expect(await value(at('cpu', 's1', 'cpu.cfs_quota_us'))).toBe('50000');
    expect(await value(at('pids', 's1', 'pids.max'))).toBe('100');
  });

  it('may open null and terminals, and no disk', async () => {
    const allowed = await value(at('devices', 's1', 'devices.list'));
    expect(allowed).toContain('c 1:3 rwm');
    expect(allowed).toContain('c 136:* rwm');
    expect(allowed).not.toMatch(/^[ab] /m);
  });

  it('owns its inner directory and can move processes there, but owns no limit', async () => {
    expect((await stat(at('memory', 's1', 'lab'))).uid).toBe(owner);
    expect((await stat(at('memory', 's1', 'lab', 'cgroup.procs'))).uid).toBe(owner);
    for (const file of ['memory.limit_in_bytes', 'lab/memory.limit_in_bytes', 'cgroup.procs']) {
      expect((await stat(at('memory', 's1', file))).uid).toBe(0);
    }
  });

  it('lets processes in, freezes, counts, kills and removes them', async () => {
    const child = spawn('sh', ['-c', 'read go; sleep 100 & wait'], { stdio: ['pipe', 'ignore', 'ignore'] });
    const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
    for (const file of driver.joinFiles('s1')) await writeFile(file, String(child.pid));
    child.stdin.write('go\n');
    expect((await driver.processes('s1')).map((entry) => entry.pid)).toContain(child.pid);
    expect((await driver.usage('s1'))?.pids).toBeGreaterThan(0);
    await driver.freeze('s1');
    expect(await driver.isFrozen('s1')).toBe(true);
    await driver.kill('s1');
    expect(await ended).toBe('SIGKILL');
    expect(await driver.processes('s1')).toEqual([]);
    expect(await driver.list()).toEqual(['s1']);
    await driver.remove('s1');
    expect(await driver.list()).toEqual([]);
    expect(existsSync(at('memory', 's1'))).toBe(false);
    await driver.remove('s1');
    await driver.kill('s1');
  });
});

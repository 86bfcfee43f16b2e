import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Conflict, NotFound, Unavailable } from '../errors.ts';
import { readJsonFile, writeJsonFile } from '../store/json-file.ts';
import { SandboxRecord } from './record.ts';
import { missing, processesOf, RealHost, shell } from './test/real-host.ts';

const why = missing ? ` (${missing})` : '';
const NOTHING = { mounts: [], loopDevices: [], cgroups: [], data: [], run: [], crun: [] };

async function until(condition: () => boolean): Promise<void> {
  for (let round = 0; round < 400 && !condition(); round++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}

describe.skipIf(missing)(`sandboxes${why}`, () => {
  let real: RealHost;

  beforeAll(async () => {
    real = await RealHost.make();
  });
  afterEach(() => real.clear());
  afterAll(() => real?.dispose());

  it('are lab hosts of their own: name, disk, ids, no mount on the host; and leave nothing when deleted', async () => {
    const manager = await real.manager();
    const [one, two] = await Promise.all([
      manager.create({ name: 'one' }),
      manager.create({ name: 'two.x' }),
    ]);
    expect(manager.list().map((sandbox) => [sandbox.name, sandbox.hostname, sandbox.state])).toEqual([
      ['one', 'one', 'running'],
      ['two.x', 'two-x', 'running'],
    ]);
    expect(Math.abs(one.uidBase - two.uidBase)).toBe(65536);
    expect(
      (await shell(one, 'hostname; id -u; df --output=size -BM / | tail -1')).output.split('\n'),
    ).toEqual(['one', '0', expect.stringMatching(/^\s*2[0-9]{2}M$/)]);
    expect(
      (await shell(one, 'echo mine > /root/f; cat /root/f; ip -br link; cat /proc/1/comm')).output,
    ).toMatch(/^mine\nlo\s.*\nberth-init$/);
    expect((await shell(two, 'cat /root/f')).exitCode).toBe(1);
    const during = await real.traces();
    expect([during.mounts, during.loopDevices?.length, during.cgroups?.length]).toEqual([[], 2, 2]);
    expect((await processesOf(one.uidBase)).length).toBe(1);

    await Promise.all([manager.delete('one'), manager.delete('two.x')]);
    expect(await real.traces()).toEqual(NOTHING);
    expect([...(await processesOf(one.uidBase)), ...(await processesOf(two.uidBase))]).toEqual([]);
    expect(() => manager.get('one')).toThrow(NotFound);
  });

  it('have their limits from the request or the settings, enforced outside and shown inside', async () => {
    const manager = await real.manager();
    const sandbox = await manager.create({ name: 'limited', limits: { memory: 96 * 2 ** 20 } });
    expect(sandbox.limits).toMatchObject({ memory: 96 * 2 ** 20, pids: 64 });
    const eater = await shell(sandbox, 'tail -c 200m /dev/zero | wc -c; echo alive');
    expect(eater.output).toContain('alive');
    // dash gives up at once, where bash would try again for seconds
    const forks = await shell(sandbox, `dash -c 'for i in $(seq 100); do sleep 1 & done'`);
    expect(forks.output).toMatch(/Cannot fork/);
    const full = await shell(
      sandbox,
      'head -c 400m /dev/zero > /root/big; echo; df --output=pcent / | tail -1; rm /root/big',
    );
    expect(full.output).toMatch(/No space left on device[\s\S]*100%/);
    expect((await shell(sandbox, 'echo still here')).output).toBe('still here');
    await manager.delete('limited');
  });

  it('have one name each, and are no more than allowed', async () => {
    const manager = await real.manager({ maxSandboxes: 1 });
    const first = manager.create({ name: 'a' });
    await expect(manager.create({ name: 'a' })).rejects.toBeInstanceOf(Conflict);
    await expect(manager.create({ name: 'b' })).rejects.toBeInstanceOf(Unavailable);
    await first;
    await manager.delete('a');
  });

  it('come back empty from a reset, as the same sandbox', async () => {
    const manager = await real.manager();
    const sandbox = await manager.create({ name: 'r' });
    const { id, uidBase, pid } = sandbox;
    await shell(sandbox, 'touch /root/f /var/lib/docker/g');
    await writeFile(path.join(sandbox.stateDir, 'note'), 'x');
    await sandbox.reset();
    expect((await shell(sandbox, 'ls /root /var/lib/docker')).output).not.toMatch(/f|g$/m);
    expect([sandbox.id, sandbox.uidBase, sandbox.state]).toEqual([id, uidBase, 'running']);
    expect(sandbox.pid).not.toBe(pid);
    await expect(stat(path.join(sandbox.stateDir, 'note'))).rejects.toThrow();
    await manager.delete('r');
  });

  it('stand still while frozen', async () => {
    const manager = await real.manager();
    const sandbox = await manager.create({ name: 'f' });
    await sandbox.init.start([], {
      key: 'run.tick',
      argv: ['sh', '-c', 'while :; do date +%s%N > /root/t; sleep 0.01; done'],
      discard: true,
    });
    await shell(sandbox, 'until [ -e /root/t ]; do sleep 0.01; done');
    await sandbox.freeze();
    expect(sandbox.state).toBe('frozen');
    await expect(manager.use('f')).rejects.toBeInstanceOf(Conflict);
    await sandbox.thaw();
    expect(sandbox.state).toBe('running');
    expect((await shell(sandbox, 'cat /root/t')).exitCode).toBe(0);
    await sandbox.freeze();
    await manager.delete('f');
    expect(await real.traces()).toEqual(NOTHING);
  });

  it('are stopped when their PID 1 dies, and started again at the next use, files kept', async () => {
    const manager = await real.manager();
    const sandbox = await manager.create({ name: 'd' });
    await shell(sandbox, 'echo kept > /root/f; sync');
    process.kill(sandbox.pid, 'SIGKILL');
    await until(() => sandbox.state === 'stopped');
    expect(() => sandbox.init).toThrow(Unavailable);
    expect((await real.traces()).loopDevices).toEqual([]);
    await manager.use('d');
    expect((await shell(sandbox, 'cat /root/f')).output).toBe('kept');
    await manager.delete('d');
  });

  it('go on while the engine restarts, and what ended meanwhile is told with its exit code', async () => {
    const before = await real.manager();
    const sandbox = await before.create({ name: 'e' });
    await sandbox.init.start([], { key: 'run.long', argv: ['sleep', '60'], discard: true });
    await sandbox.init.start([], {
      key: 'run.short',
      argv: ['sh', '-c', 'sleep 0.2; exit 42'],
      discard: true,
    });
    await before.release();
    await new Promise((resolve) => setTimeout(resolve, 400));
    const after = await real.manager();
    const again = await after.use('e');
    expect([again.pid, again.id]).toEqual([sandbox.pid, sandbox.id]);
    expect(again.init.process('run.long')?.state).toBe('running');
    expect(await again.init.waitExit('run.short')).toMatchObject({ status: 42 });
    await again.freeze();
    await after.release();
    const third = await real.manager();
    expect(third.get('e').state).toBe('frozen');
    await third.get('e').thaw();
    expect((await shell(third.get('e'), 'echo back')).output).toBe('back');
    await third.delete('e');
  });

  it('that were half made, half reset or half deleted at a crash are put right at the next start', async () => {
    const before = await real.manager();
    const made = await before.create({ name: 'half' });
    const reset = await before.create({ name: 'reset' });
    const stranger = await before.create({ name: 'stranger' });
    await shell(reset, 'touch /root/f');
    const setPhase = async (file: string, phase: string) => {
      await writeJsonFile(file, { ...(await readJsonFile(file, SandboxRecord)), phase });
    };
    await setPhase(made.paths.record, 'creating');
    await setPhase(reset.paths.record, 'resetting');
    await before.release();
    await rm(stranger.paths.data, { recursive: true });
    await mkdir(path.join(real.host.sandboxes, 'aaaaaaaaaaaa'));
    await mkdir(path.join(real.host.running, 'bbbbbbbbbbbb'));

    const after = await real.manager();
    expect(after.list().map((sandbox) => [sandbox.name, sandbox.state])).toEqual([['reset', 'stopped']]);
    const left = await real.traces();
    expect([left.loopDevices, left.cgroups, left.run, left.data]).toEqual([[], [], [], [reset.id]]);
    expect((await shell(await after.use('reset'), 'ls /root/f')).exitCode).toBe(2);
    await after.delete('reset');
    expect(await real.traces()).toEqual(NOTHING);
  });

  it('whose record is damaged are left as they are, and hinder nobody', async () => {
    const directory = path.join(real.host.sandboxes, 'cccccccccccc');
    await mkdir(directory, { recursive: true });
    await writeFile(path.join(directory, 'sandbox.json'), '{"version":1,');
    const manager = await real.manager();
    await manager.create({ name: 'fine' });
    expect(await readFile(path.join(directory, 'sandbox.json'), 'utf8')).toBe('{"version":1,');
    await manager.delete('fine');
    await rm(directory, { recursive: true });
  });

  it('are never started twice on one disk', async () => {
    const manager = await real.manager();
    const sandbox = await manager.create({ name: 'once' });
    const again = promisify(execFile)(real.host.launchBinary, [sandbox.paths.launchConfig]);
    await expect(again).rejects.toThrow('disk is in use');
    expect((await shell(sandbox, 'echo untouched')).output).toBe('untouched');
    await manager.delete('once');
  });

  it('that cannot be started leave nothing behind, and the error names the step', async () => {
    const manager = await real.manager({}, { hostImage: '/nowhere' });
    await expect(manager.create({ name: 'x' })).rejects.toThrow(
      'id-mapped mount: /nowhere: No such file or directory',
    );
    expect(manager.list()).toEqual([]);
    expect(await real.traces()).toEqual(NOTHING);
    const without = await real.manager({}, { initBinary: '/bin/nothing' });
    await expect(without.create({ name: 'x' })).rejects.toThrow('bind mount: /bin/nothing');
    expect(await real.traces()).toEqual(NOTHING);
  });
});

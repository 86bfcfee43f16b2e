// Volumes when things go wrong: kill -9 of the engine at any moment, a full disk, many at once, a student who meddles.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DockerCli } from './support/docker.ts';
import { engineMissing, TestEngine } from './support/engine.ts';

const LAB = 'faults';

describe.skipIf(engineMissing)(`volumes under faults${engineMissing ? ` (${engineMissing})` : ''}`, () => {
  let engine: TestEngine;
  let docker: DockerCli;

  beforeAll(async () => {
    engine = await TestEngine.start();
    await engine.control.createSandbox({ name: LAB, limits: { disk: 256 * 2 ** 20 } });
    docker = await engine.docker(LAB);
    await docker.ok('pull', 'busybox');
    // an image whose copy takes a while
    await docker.ok(
      ...['run', '--name', 'maker', 'busybox', 'sh', '-c'],
      'mkdir /data; cd /data; for i in $(seq 2000); do echo $i > f$i; done; head -c 30000000 /dev/zero > large',
    );
    await docker.ok('commit', 'maker', 'full');
    await docker.ok('rm', 'maker');
  });
  afterAll(async () => {
    await engine.dispose();
  });

  async function crash(): Promise<void> {
    await engine.end('SIGKILL');
    await engine.up();
  }
  async function inLab(script: string): Promise<string> {
    const result = await engine.control.run(LAB, { argv: ['sh', '-c', script] });
    return result.stdout.trim();
  }
  const volumes = async () => (await docker.ok('volume', 'ls', '-q')).split('\n').filter(Boolean).sort();
  const directories = async () =>
    (await inLab('ls /var/lib/docker/volumes')).split('\n').filter(Boolean).sort();

  it('loses no acknowledged volume and leaves no half one when the engine is killed', {
    timeout: 60_000,
  }, async () => {
    const kept = new Set<string>();
    const gone = new Set<string>();
    for (let round = 0; round < 5; round++) {
      const jobs = [0, 1, 2].map(async (job) => {
        for (let n = 0; n < 40; n++) {
          const name = `v${round}-${job}-${n}`;
          if (job === 0) {
            if ((await docker.run(['volume', 'create', name])).code !== 0) return;
            kept.add(name);
            if (n % 2 === 0) continue;
            kept.delete(name);
            if ((await docker.run(['volume', 'rm', name])).code !== 0) return;
            gone.add(name);
          } else {
            const args = ['run', '--rm', '-v', `${name}:/v`, '-v', '/anonymous', '--network', 'none'];
            const run = await docker.run([...args, 'busybox', 'sh', '-c', `echo ${name} > /v/name`]);
            if (run.code !== 0) return;
            kept.add(name);
          }
        }
      });
      await sleep(200 + round * 113);
      await crash();
      await Promise.all(jobs);
    }
    const there = await volumes();
    for (const name of kept) expect(there).toContain(name);
    for (const name of gone) expect(there).not.toContain(name);
    expect(kept.size).toBeGreaterThan(10);
    expect(await directories()).toEqual(there);
    // containers that ended unseen were removed, with their anonymous volumes
    await expect.poll(() => docker.ok('ps', '-aq', '-f', 'status=exited')).toBe('');
    const containers = (await docker.ok('ps', '-aq')).split('\n').filter(Boolean);
    if (containers.length > 0) await docker.ok('rm', '-fv', ...containers);
    expect((await volumes()).filter((name) => /^[0-9a-f]{64}$/.test(name))).toEqual([]);
    const sample = [...kept].filter((name) => !/-0-/.test(name)).slice(0, 10);
    for (const name of sample)
      expect(await inLab(`cat /var/lib/docker/volumes/${name}/_data/name`)).toBe(name);
    await docker.ok('volume', 'prune', '-af');
    expect(await directories()).toEqual([]);
  });

  it('fills a volume whole or not at all', { timeout: 60_000 }, async () => {
    for (let round = 0; round < 4; round++) {
      const name = `fill${round}`;
      const attempt = docker.run(['create', '-v', `${name}:/data`, 'full']);
      await sleep(20 + round * 25);
      await crash();
      const { code } = await attempt;
      if (code !== 0) await docker.ok('create', '-v', `${name}:/data`, 'full');
      expect(await inLab(`ls /var/lib/docker/volumes/${name}/_data | wc -l`)).toBe('2001');
      expect(await inLab(`stat -c %s /var/lib/docker/volumes/${name}/_data/large`)).toBe('30000000');
      await docker.ok('rm', ...(await docker.ok('ps', '-aq')).split('\n'));
      await docker.ok('volume', 'rm', name);
    }
    expect(await directories()).toEqual([]);
  });

  it('gives a full copy to each of many containers that come at once', async () => {
    const lists = await Promise.all(
      Array.from({ length: 8 }, () =>
        docker.ok(
          'run',
          '--rm',
          '-v',
          'together:/data',
          '--network',
          'none',
          'full',
          'sh',
          '-c',
          'ls /data | wc -l',
        ),
      ),
    );
    expect(new Set(lists)).toEqual(new Set(['2001']));
    await docker.ok('volume', 'rm', 'together');
  });

  it('keeps what a driver option mounted over a crash, and unmounts it at the end', async () => {
    const mounted = () => inLab('grep -c /var/lib/docker/volumes /proc/1/mountinfo; true');
    await docker.ok('volume', 'create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', 'temporary');
    await docker.ok(
      'run',
      '-d',
      '--name',
      'one',
      '-v',
      'temporary:/t',
      'busybox',
      'sh',
      '-c',
      'echo 1 > /t/f; sleep 600',
    );
    await crash();
    expect(await mounted()).toBe('1');
    await docker.ok('run', '-d', '--name', 'two', '-v', 'temporary:/t', 'busybox', 'sleep', '3');
    expect(await docker.ok('exec', 'two', 'cat', '/t/f')).toBe('1');
    await docker.ok('rm', '-f', 'one');
    expect(await mounted()).toBe('1');
    await engine.end('SIGKILL');
    await sleep(3000);
    await engine.up();
    expect(await mounted()).toBe('0');
    await docker.ok('rm', 'two');
    await docker.ok('volume', 'rm', 'temporary');
  });

  it('says that the disk is full, and leaves nothing half done', async () => {
    await inLab(
      'head -c 1G /dev/zero > /root/filler 2>/dev/null; rm -f /root/x; truncate -s -8M /root/filler',
    );
    const result = await docker.run(['run', '--rm', '-v', 'overfull:/data', 'full', 'true']);
    expect(result.code).toBe(125);
    expect(result.stderr).toContain('no space left on device');
    expect(await volumes()).toEqual([]);
    expect(await directories()).toEqual([]);
    expect(await docker.ok('ps', '-aq')).toBe('');
    await inLab('rm /root/filler');
    await docker.ok('run', '--rm', '-v', 'overfull:/data', 'full', 'true');
    await docker.ok('volume', 'rm', 'overfull');
  });

  it('passes mounts on with rslave and rshared, as far as the lab host’s own mount is shared', async () => {
    await inLab(
      'mkdir -p /mnt/s && mount -t tmpfs s /mnt/s && mount --make-shared /mnt/s && mkdir /mnt/s/in /mnt/s/out',
    );
    const bind = (mode: string) => `type=bind,src=/mnt/s,dst=/s,bind-propagation=${mode}`;
    await docker.ok('run', '-d', '--name', 'slave', '--mount', bind('rslave'), 'busybox', 'sleep', '600');
    await inLab('mount -t tmpfs in /mnt/s/in && touch /mnt/s/in/seen');
    expect(await docker.ok('exec', 'slave', 'ls', '/s/in')).toBe('seen');
    await docker.ok(
      ...[
        'run',
        '--rm',
        '--cap-add',
        'SYS_ADMIN',
        '--security-opt',
        'seccomp=unconfined',
        '--mount',
        bind('rshared'),
      ],
      ...['busybox', 'sh', '-c', 'mount -t tmpfs out /s/out && touch /s/out/made'],
    );
    expect(await inLab('ls /mnt/s/out')).toBe('made');
    await docker.ok('rm', '-f', 'slave');
    await inLab('umount -R /mnt/s');
  });

  it('is read-only for what is mounted below, too', async () => {
    await inLab('mkdir -p /mnt/r/below && mount -t tmpfs b /mnt/r/below');
    const write = async (...mount: string[]) =>
      (await docker.run(['run', '--rm', ...mount, 'busybox', 'touch', '/r/below/x'])).stderr;
    expect(await write('-v', '/mnt/r:/r:ro')).toContain('Read-only file system');
    expect(await write('--mount', 'type=bind,src=/mnt/r,dst=/r,readonly')).toContain('Read-only file system');
    expect(await write('--mount', 'type=bind,src=/mnt/r,dst=/r,readonly,bind-recursive=writable')).toBe('');
    expect(await write('--mount', 'type=bind,src=/mnt/r,dst=/r,bind-recursive=disabled')).toBe('');
    expect(await inLab('ls /mnt/r/below')).toBe('x');
    await inLab('umount /mnt/r/below');
  });

  it('stays sane when a student replaces, removes or busies a volume’s files', async () => {
    await docker.ok('volume', 'create', 'mine');
    await inLab('cd /var/lib/docker/volumes && rmdir mine/_data && ln -s /etc mine/_data');
    expect(await docker.ok('run', '--rm', '-v', 'mine:/m', 'busybox', 'true')).toBe('');
    await docker.ok('volume', 'rm', 'mine');
    expect(await inLab('test -f /etc/passwd && echo there')).toBe('there');

    await docker.ok('volume', 'create', 'gone');
    await inLab('rm -r /var/lib/docker/volumes/gone');
    expect((await docker.run(['run', '--rm', '-v', 'gone:/m', 'busybox', 'true'])).stderr).toMatch(
      /no such file/i,
    );
    await docker.ok('volume', 'rm', 'gone');

    await docker.ok('volume', 'create', 'busy');
    await inLab(
      'mkdir /var/lib/docker/volumes/busy/_data/m && mount -t tmpfs m /var/lib/docker/volumes/busy/_data/m',
    );
    const refused = await docker.run(['volume', 'rm', 'busy']);
    expect(refused.stderr).toMatch(/remove busy: .*device or resource busy/i);
    expect(await volumes()).toEqual(['busy']);
    await inLab('umount /var/lib/docker/volumes/busy/_data/m');
    await docker.ok('volume', 'rm', 'busy');
  });
});

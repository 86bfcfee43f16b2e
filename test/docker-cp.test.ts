// docker cp, diff and export by the real CLI, on Berth and on a real dockerd: what is copied, refused, listed, and what links cannot do.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerCli, runCommand } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const unique = (prefix: string) => `${prefix}-${randomBytes(4).toString('hex')}`;
const targets = dockerTargets('cp');

describe.skipIf(engineMissing).each(targets)('docker cp on $title', (target) => {
  let docker: DockerCli;
  let work: string;
  const made: string[] = [];
  beforeAll(async () => {
    work = await mkdtemp(path.join(os.tmpdir(), 'berth-cp-'));
    docker = await target.open();
  });
  afterAll(async () => {
    if (made.length > 0) await docker.run(['rm', '-f', '-v', ...made]);
    await target.close();
    await rm(work, { recursive: true, force: true });
  });

  async function created(...args: string[]): Promise<string> {
    const name = unique('cp');
    made.push(name);
    await docker.ok('create', '--name', name, ...args);
    return name;
  }
  async function running(script: string, ...options: string[]): Promise<string> {
    const name = await created(...options, 'busybox', 'sh', '-c', `${script}; sleep 1000`);
    await docker.ok('start', name);
    for (let tries = 0; tries < 100; tries++) {
      if ((await docker.ok('top', name)).includes('sleep 1000')) return name;
      await sleep(20);
    }
    throw new Error('the container does not come to its sleep');
  }
  const local = (name: string) => path.join(work, name);
  const error = async (...args: string[]) => {
    const result = await docker.run(args);
    expect(result.code).not.toBe(0);
    return result.stderr.trim();
  };

  it('copies a file and a directory in and out, before, during and after the run', async () => {
    const source = local('source');
    await mkdir(path.join(source, 'sub'), { recursive: true });
    await writeFile(path.join(source, 'one'), 'first\n', { mode: 0o640 });
    await writeFile(path.join(source, 'sub/two'), randomBytes(300_000));
    await symlink('../one', path.join(source, 'sub/link'));
    const name = await created('busybox', 'sleep', '1000');
    for (const moment of ['created', 'running', 'exited']) {
      if (moment === 'running') await docker.ok('start', name);
      if (moment === 'exited') await docker.ok('kill', name);
      await docker.ok('cp', source, `${name}:/tmp/${moment}`);
      await docker.ok('cp', `${name}:/tmp/${moment}`, local(moment));
      expect(await readFile(local(`${moment}/sub/two`))).toEqual(
        await readFile(path.join(source, 'sub/two')),
      );
      expect(await readlink(local(`${moment}/sub/link`))).toBe('../one');
      expect((await stat(local(`${moment}/one`))).mode & 0o777).toBe(0o640);
      await docker.ok('cp', path.join(source, 'one'), `${name}:/tmp/${moment}/sub`);
      await docker.ok('cp', `${name}:/tmp/${moment}/sub/one`, local(`${moment}-one`));
      expect(await readFile(local(`${moment}-one`), 'utf8')).toBe('first\n');
    }
    await docker.ok('start', name);
  });

  it('copies archives by standard input and output', async () => {
    const name = await created('busybox', 'sleep', '1000');
    const archive = local('piped.tar');
    await writeFile(local('piped'), 'through a pipe');
    await runCommand(['tar', '-C', work, '-czf', archive, 'piped']);
    const put = await docker.run(['cp', '-', `${name}:/tmp`], { stdin: await readFile(archive) });
    expect(put).toMatchObject({ code: 0 });
    const [file, ...rest] = docker.argv('cp', `${name}:/tmp/piped`, '-');
    const out = await runCommand(['sh', '-c', '"$@" | tar -xO', 'sh', file ?? '', ...rest]);
    expect(out.stdout).toBe('through a pipe');
  });

  it('follows links as docker cp does, within the container only', async () => {
    const name = await running(
      'mkdir /d; echo in > /d/file; ln -s /d /to-d; ln -s ../../../../etc/hostname /up; ln -s /nowhere /broken',
      '--hostname',
      'inside',
    );
    await docker.ok('cp', `${name}:/to-d`, local('as-link'));
    expect(await readlink(local('as-link'))).toBe('/d');
    await docker.ok('cp', '-L', `${name}:/to-d`, local('followed'));
    expect(await readFile(local('followed/file'), 'utf8')).toBe('in\n');
    await docker.ok('cp', '-L', `${name}:/up`, local('up'));
    expect(await readFile(local('up'), 'utf8')).toBe('inside\n');
    await docker.ok('cp', `${name}:/to-d/file`, local('through'));
    expect(await readFile(local('through'), 'utf8')).toBe('in\n');
    await docker.ok('cp', local('through'), `${name}:/to-d/back`);
    await docker.ok('cp', `${name}:/d/back`, local('back'));
    expect(await docker.run(['cp', '-L', `${name}:/broken`, local('x')])).toMatchObject({ code: 1 });
  });

  it('refuses in the words of Docker', async () => {
    const name = await created('busybox', 'true');
    await writeFile(local('small'), 'x');
    expect(await error('cp', `${name}:/nope`, local('nope'))).toBe(
      `Error response from daemon: Could not find the file /nope in container ${name}`,
    );
    expect(await error('cp', local('small'), `${name}:/nope/small`)).toContain(
      `Could not find the file /nope in container ${name}`,
    );
    expect(await error('cp', local('small'), `${name}:/etc/passwd/`)).toMatch(/no(t a| such) directory/);
    expect(await error('cp', work, `${name}:/etc/passwd`)).toContain('cannot copy directory');
    expect(await error('cp', 'nosuch-container:/x', work)).toContain('No such container: nosuch-container');
    expect(await error('diff', 'nosuch-container')).toContain('No such container: nosuch-container');
    expect(await error('export', 'nosuch-container')).toContain('No such container: nosuch-container');
  });

  it('writes to a read-only container only where a volume is', async () => {
    const name = await created(
      ...['--read-only', '-v', '/data', '-v', `${unique('vol')}:/fixed:ro`, 'busybox', 'true'],
    );
    await writeFile(local('written'), 'to a volume');
    expect(await error('cp', local('written'), `${name}:/etc`)).toContain(
      'container rootfs is marked read-only',
    );
    expect(await error('cp', local('written'), `${name}:/fixed`)).toContain(
      'mounted volume is marked read-only',
    );
    await docker.ok('cp', local('written'), `${name}:/data`);
    await docker.ok('cp', `${name}:/data/written`, local('from-volume'));
    expect(await readFile(local('from-volume'), 'utf8')).toBe('to a volume');
    const volumes = JSON.parse(await docker.ok('inspect', '-f', '{{json .Mounts}}', name));
    await docker.ok('rm', '-v', name);
    await docker.ok('volume', 'rm', volumes.find((each: { RW: boolean }) => !each.RW).Name);
  });

  it('gives files to the container’s user with -a, and keeps the numbers otherwise', async () => {
    const name = await running('id -u; id -g', '--user', 'nobody');
    await writeFile(local('owned'), 'x');
    await docker.ok('cp', '-a', local('owned'), `${name}:/tmp/mine`);
    await docker.ok('cp', local('owned'), `${name}:/tmp/theirs`);
    const [file, ...rest] = docker.argv('export', name);
    const list = await runCommand(['sh', '-c', '"$@" | tar -tv --numeric-owner', 'sh', file ?? '', ...rest]);
    const ownerOf = (of: string) =>
      list.stdout
        .split('\n')
        .find((line) => line.endsWith(of))
        ?.split(/\s+/)[1];
    expect(ownerOf(' tmp/mine')).toBe((await docker.ok('logs', name)).replace('\n', '/'));
    expect(ownerOf(' tmp/theirs')).toBe('0/0');
  });

  it('lists what was added, changed and deleted', async () => {
    const name = await running(
      'rm /etc/group; mkdir -p /d/e; echo x > /d/e/f; rm -r /home; mkdir /home; echo y > /home/q; chmod 700 /var; chmod 755 /usr; rm -r /var/www; echo z >> /etc/passwd; ln -s /d /ln',
    );
    const changes = (await docker.ok('diff', name)).split('\n').sort();
    expect(changes).toEqual(
      [
        ...['A /d', 'A /d/e', 'A /d/e/f', 'A /home/q', 'A /ln'],
        ...['C /etc', 'C /etc/passwd', 'C /home', 'C /var', 'D /etc/group', 'D /var/www'],
      ].sort(),
    );
    const untouched = await created('busybox', 'true');
    expect(await docker.ok('diff', untouched)).toBe('');
    await docker.ok('start', '-a', untouched);
    expect(await docker.ok('diff', untouched)).toBe('');
  });

  it('exports the root without what is mounted, to be imported again', async () => {
    const volume = unique('vol');
    const name = await running('echo kept > /kept; echo hidden > /v/hidden', '-v', `${volume}:/v`);
    const file = local('export.tar');
    await docker.ok('export', '-o', file, name);
    const { stdout } = await runCommand(['tar', '-tf', file]);
    const names = stdout.split('\n');
    expect(names).toEqual(expect.arrayContaining(['kept', 'v/', 'bin/busybox', 'proc/', '.dockerenv']));
    expect(names.some((each) => each.startsWith('v/h') || each.startsWith('proc/1'))).toBe(false);
    const image = `${unique('exported')}:v1`;
    await docker.ok('import', file, image);
    expect(await docker.ok('run', '--rm', image, 'cat', '/kept')).toBe('kept');
    await docker.ok('rmi', image);
    await docker.ok('rm', '-f', name);
    await docker.ok('volume', 'rm', volume);
  });

  it('tells of each as an event', async () => {
    const since = String(Date.now() / 1000);
    const name = await created('busybox', 'true');
    await writeFile(local('event'), 'x');
    await docker.ok('cp', local('event'), `${name}:/tmp`);
    await docker.ok('cp', `${name}:/tmp/event`, local('event-back'));
    await docker.ok('export', '-o', local('event.tar'), name);
    const events = await docker.ok(
      ...[
        'events',
        '--since',
        since,
        '--until',
        String(Date.now() / 1000 + 0.3),
        '--filter',
        `container=${name}`,
      ],
      ...['--format', '{{.Action}}'],
    );
    expect(events.split('\n')).toEqual(['create', 'extract-to-dir', 'archive-path', 'export']);
  });

  if (!target.isBerth) return;

  it('never leaves the container while a link is swapped under it (CVE-2018-15664)', async () => {
    await target.engine().control.run('cp', {
      argv: ['sh', '-c', 'mkdir -p /target; echo lab > /target/secret'],
    });
    const name = await running(
      'mkdir -p /a/target /b; echo own > /a/target/secret; (while :; do ln -s / /l; rm /l; mkdir -p /l/target; echo own > /l/target/secret; rm -r /l; done 2>/dev/null) & true',
    );
    for (let round = 0; round < 25; round++) {
      const out = local(`race-${round}`);
      const got = await docker.run(['cp', `${name}:/l/target/secret`, out]);
      if (got.code === 0) expect(await readFile(out, 'utf8')).not.toBe('lab\n');
      await docker.run(['cp', local('small'), `${name}:/l/target/planted`]);
    }
    const look = await target.engine().control.run('cp', { argv: ['ls', '/target'] });
    expect(look.stdout).toBe('secret\n');
    await docker.ok('rm', '-f', name);
  }, 60_000);

  it('refuses archives whose names lead out, and answers when the client goes', async () => {
    const name = await created('busybox', 'true');
    await mkdir(local('hostile'));
    await writeFile(local('hostile/f'), 'x');
    const put = async (...flags: string[]) => {
      const file = local('hostile.tar');
      await runCommand(['tar', '-C', local('hostile'), ...flags, '-cf', file, 'f']);
      return docker.run(['cp', '-', `${name}:/tmp`], { stdin: await readFile(file) });
    };
    expect((await put('--transform', 's,f,../../f,', '-P')).stderr).toContain('is outside of "/tmp"');
    expect((await put('--transform', 's,f,/etc/../../../f,', '-P')).stderr).toContain('is outside of "/tmp"');
    const cut = (await readFile(local('hostile.tar'))).subarray(0, 600);
    expect((await docker.run(['cp', '-', `${name}:/tmp`], { stdin: cut })).code).toBe(1);
    expect(await docker.ok('diff', name)).toBe('');
  });

  it('leaves nothing behind when the engine is killed in the middle', async () => {
    const name = await created('busybox', 'sleep', '1000');
    await writeFile(local('big'), randomBytes(64 * 2 ** 20));
    await docker.ok('cp', local('big'), `${name}:/big`);
    const [file = '', ...args] = docker.argv('cp', `${name}:/big`, '-');
    const stalled = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(stalled.stdout, 'readable');
    await target.engine().end('SIGKILL');
    await target.engine().up();
    stalled.kill('SIGKILL');
    const look = await target
      .engine()
      .control.run('cp', { argv: ['sh', '-c', 'ps ax | grep -c "[i]nit view"'] });
    expect(look.stdout.trim()).toBe('0');
    await docker.ok('start', name);
    await docker.ok('cp', `${name}:/big`, local('big-back'));
    expect((await readFile(local('big-back'))).equals(await readFile(local('big')))).toBe(true);
  }, 60_000);

  it('ends with the engine although a client takes nothing', async () => {
    const name = await created('busybox', 'sleep', '1000');
    await docker.ok('cp', local('big'), `${name}:/big`);
    const [file = '', ...args] = docker.argv('cp', `${name}:/big`, '-');
    const stalled = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(stalled.stdout, 'readable');
    await target.engine().end('SIGTERM');
    await target.engine().up();
    stalled.kill('SIGKILL');
    await docker.ok('start', name);
  }, 60_000);
});

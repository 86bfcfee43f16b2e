// Options of docker run that other tests do not have, and prune, by the real CLI; the same on a real dockerd where
// BERTH_PEER names its socket.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DockerCli } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const unique = (prefix: string) => `${prefix}-${randomBytes(4).toString('hex')}`;

describe.skipIf(engineMissing).each(dockerTargets('options'))(
  `options on $title${engineMissing ? ` (${engineMissing})` : ''}`,
  (target) => {
    let docker: DockerCli;
    let folder: string;
    beforeAll(async () => {
      docker = await target.open();
      folder = await mkdtemp(path.join(os.tmpdir(), 'berth-options-'));
    });
    afterAll(async () => {
      await target.close();
      await rm(folder, { recursive: true, force: true });
    });
    const sh = async (options: string[], script: string) =>
      (await docker.run(['run', '--rm', ...options, 'busybox', 'sh', '-c', script])).stdout;
    const refusal = async (...options: string[]) => {
      const result = await docker.run(['run', '--rm', ...options, 'busybox', 'true']);
      expect(result.code).toBe(125);
      return result.stderr;
    };

    it('--cidfile, --env-file and --label-file', async () => {
      const cid = path.join(folder, 'cid');
      const name = unique('files');
      await writeFile(path.join(folder, 'env'), 'A=1\nB=two words\n# comment\n');
      await writeFile(path.join(folder, 'labels'), 'one=1\ntwo=2\n');
      const made = await docker.run([
        ...['run', '--name', name, '--cidfile', cid, '--env-file', path.join(folder, 'env')],
        ...['--label-file', path.join(folder, 'labels'), '--label', 'three', 'busybox'],
        ...['sh', '-c', 'echo $A $B'],
      ]);
      expect(made.stdout).toBe('1 two words\n');
      const id = await docker.ok('inspect', '-f', '{{.Id}}', name);
      expect(await readFile(cid, 'utf8')).toBe(id);
      const labels = '{{.Config.Labels.one}}{{.Config.Labels.two}}[{{.Config.Labels.three}}]';
      expect(await docker.ok('inspect', '-f', labels, name)).toBe('12[]');
      await docker.ok('rm', name);
    });

    it('--group-add by number and name', async () => {
      expect(await sh(['-u', '1000', '--group-add', '1234', '--group-add', '5'], 'id -G')).toMatch(
        /^0? ?(5 1234|1234 5)\n$|^0 (1234 5|5 1234)\n$/,
      );
      expect(await refusal('--group-add', 'nosuch')).toContain(
        'Unable to find group nosuch: no matching entries in group file',
      );
    });

    it('--ipc and --pid of another container', async () => {
      const name = unique('donor');
      const id = await docker.ok('run', '-d', '--name', name, '--ipc', 'shareable', 'busybox', 'sleep', '60');
      await sh(['--ipc', `container:${name}`], 'echo shared > /dev/shm/x');
      expect(await sh(['--ipc', `container:${name}`], 'cat /dev/shm/x')).toBe('shared\n');
      expect(await sh(['--pid', `container:${name}`], 'cat /proc/1/comm')).toBe('sleep\n');
      await docker.ok('kill', name);
      expect(await refusal('--ipc', `container:${name}`)).toContain(
        `failed to join IPC namespace: container ${id} is not running`,
      );
      expect(await refusal('--pid', `container:${name}`)).toContain(
        `failed to join PID namespace: container ${id} is not running`,
      );
      expect(await refusal('--network', `container:${name}`)).toContain(
        `cannot join network of a non running container: ${id}`,
      );
      await docker.ok('rm', name);
      await docker.ok('run', '-d', '--name', name, 'busybox', 'sleep', '60');
      expect(await refusal('--ipc', `container:${name}`)).toContain(
        'non-shareable IPC (hint: use IpcMode:shareable',
      );
      await docker.ok('rm', '-f', name);
      expect(await sh(['--ipc', 'none'], 'ls -A /dev/shm 2>/dev/null')).toBe('');
    });

    it('--hostname, --domainname, --uts, --userns and --cgroupns', async () => {
      const script = 'hostname; hostname -f; cat /proc/sys/kernel/domainname';
      expect(await sh(['--hostname', 'h', '--domainname', 'example.com'], script)).toBe(
        'h\nh.example.com\nexample.com\n',
      );
      expect(await refusal('--uts', 'host', '--hostname', 'x')).toContain(
        'conflicting options: hostname and the UTS mode',
      );
      expect(await sh(['--uts', 'host', '--userns', 'host', '--cgroupns', 'host'], 'echo fine')).toBe(
        'fine\n',
      );
      expect(await sh(['--cgroupns', 'private'], 'echo fine')).toBe('fine\n');
    });

    it('--tmpfs, --mount type=tmpfs and --shm-size', async () => {
      const mounted = 'stat -c "%a %u" /t; grep -c " /t tmpfs .*noexec.*size=1024k" /proc/mounts';
      expect(await sh(['--tmpfs', '/t:size=1m,mode=1770,uid=5,noexec'], mounted)).toBe('1770 5\n1\n');
      const size = (place: string) => `df -k ${place} | tail -1 | tr -s " " | cut -d" " -f2`;
      expect(await sh(['--mount', 'type=tmpfs,dst=/t,tmpfs-size=2m,tmpfs-mode=700'], size('/t'))).toBe(
        '2048\n',
      );
      expect(await sh(['--shm-size', '10m'], size('/dev/shm'))).toBe('10240\n');
      expect(await sh([], size('/dev/shm'))).toBe('65536\n');
    });

    it('--oom-score-adj, --ulimit and --sysctl', async () => {
      expect(await sh(['--oom-score-adj', '500'], 'cat /proc/self/oom_score_adj')).toBe('500\n');
      expect(
        await sh(['--ulimit', 'nofile=100:200', '--ulimit', 'core=0'], 'ulimit -n; ulimit -Hn; ulimit -c'),
      ).toBe('100\n200\n0\n');
      expect(await sh(['--sysctl', 'kernel.msgmax=12345'], 'cat /proc/sys/kernel/msgmax')).toBe('12345\n');
      expect(await refusal('--sysctl', 'bogus=1')).toMatch(/sysctl/);
    });

    it('--security-opt', async () => {
      const status = 'grep NoNewPrivs /proc/self/status';
      expect(await sh(['--security-opt', 'no-new-privileges'], status)).toBe('NoNewPrivs:\t1\n');
      expect(await sh(['--security-opt', 'no-new-privileges:false'], status)).toBe('NoNewPrivs:\t0\n');
      for (const option of [
        'apparmor=unconfined',
        'label=disable',
        'seccomp=unconfined',
        'systempaths=unconfined',
      ]) {
        expect(await sh(['--security-opt', option], 'echo fine')).toBe('fine\n');
      }
      const profile = path.join(folder, 'seccomp.json');
      const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' };
      await writeFile(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }));
      const made = await docker.run([
        'run',
        '--rm',
        '--security-opt',
        `seccomp=${profile}`,
        'busybox',
        'mkdir',
        '/x',
      ]);
      expect(made.stderr).toContain('Operation not permitted');
      expect(await refusal('--security-opt', 'bogus=1')).toContain('invalid --security-opt');
    });

    it('--stop-timeout', async () => {
      const name = unique('stubborn');
      const script = 'trap "" TERM; while :; do sleep 0.1; done';
      await docker.ok('run', '-d', '--name', name, '--stop-timeout', '1', 'busybox', 'sh', '-c', script);
      const before = Date.now();
      await docker.ok('stop', name);
      expect(Date.now() - before).toBeLessThan(6000);
      expect(await docker.ok('inspect', '-f', '{{.Config.StopTimeout}} {{.State.ExitCode}}', name)).toBe(
        '1 137',
      );
      await docker.ok('rm', name);
    });

    it('--attach chooses streams', async () => {
      const script = 'echo out; echo err >&2';
      const only = (stream: string) =>
        docker.run(['run', '--rm', '-a', stream, 'busybox', 'sh', '-c', script]);
      expect(await only('stdout')).toMatchObject({ stdout: 'out\n', stderr: '' });
      expect(await only('stderr')).toMatchObject({ stdout: '', stderr: 'err\n' });
    });

    it('--sig-proxy passes signals on, or not', async () => {
      const run = (name: string, proxy: boolean, script: string): ChildProcess => {
        const [file = '', ...args] = docker.argv(
          ...['run', '--name', name, `--sig-proxy=${proxy}`, 'busybox', 'sh', '-c', script],
        );
        return spawn(file, args, { stdio: 'ignore' });
      };
      const ended = (child: ChildProcess) => new Promise((resolve) => child.once('exit', resolve));
      const status = (name: string) =>
        docker.run(['inspect', '-f', '{{.State.Status}}', name]).then(({ stdout }) => stdout.trim());
      const name = unique('signals');
      const passing = run(name, true, 'trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done');
      const code = ended(passing);
      await expect
        .poll(async () => (await docker.run(['logs', name])).stdout, { timeout: 10_000 })
        .toBe('ready\n');
      passing.kill('SIGTERM');
      expect(await code).toBe(9);
      await docker.ok('rm', name);
      const keeping = run(name, false, 'sleep 60');
      const end = ended(keeping);
      await expect.poll(() => status(name), { timeout: 10_000 }).toBe('running');
      keeping.kill('SIGTERM');
      await end;
      expect(await status(name)).toBe('running');
      await docker.ok('rm', '-f', name);
    });

    it('docker ps --size and inspect --size count what the container wrote', async () => {
      const name = unique('size');
      await docker.ok(
        'run',
        '-d',
        '--name',
        name,
        'busybox',
        'sh',
        '-c',
        'head -c 100000 /dev/zero > /f; sleep 60',
      );
      const size = () => docker.ok('inspect', '--size', '-f', '{{.SizeRw}}', name);
      await expect.poll(size).toBe('100000');
      expect(await docker.ok('ps', '--size', '--filter', `name=${name}`, '--format', '{{.Size}}')).toMatch(
        /^100kB \(virtual [\d.]+MB\)$/,
      );
      await docker.ok('rm', '-f', name);
    });

    it('docker container prune by label and age', async () => {
      const label = unique('prune');
      const make = (value: string) => docker.ok('create', '--label', `${label}=${value}`, 'busybox', 'true');
      const [first, second] = [await make('one'), await make('two')];
      const prune = async (...filters: string[]) =>
        docker.ok('container', 'prune', '-f', ...filters.flatMap((filter) => ['--filter', filter]));
      expect(await prune(`label=${label}`, 'until=1h')).toBe('Total reclaimed space: 0B');
      expect(await prune(`label=${label}`, `label!=${label}=two`)).toContain(first);
      expect(await prune(`label=${label}`)).toContain(second);
      expect((await docker.run(['container', 'prune', '-f', '--filter', 'until=x'])).stderr).toContain(
        'failed to parse value as time or duration: "x"',
      );
    });

    it.runIf(target.isBerth)('docker system prune takes what is not used', async () => {
      const name = unique('unused');
      await docker.ok('create', '--name', name, 'busybox', 'true');
      await docker.ok('network', 'create', name);
      const pruned = await docker.ok('system', 'prune', '-f');
      expect(pruned).toContain('Deleted Containers:');
      expect(pruned).toContain(`Deleted Networks:\n${name}`);
      expect(await docker.ok('ps', '-aq', '--filter', `name=${name}`)).toBe('');
      expect(await docker.ok('system', 'df', '--format', '{{.Type}}')).toBe(
        'Images\nContainers\nLocal Volumes\nBuild Cache',
      );
    });

    it('refuses keys to detach that are none', async () => {
      const refused = await docker.run(['run', '--rm', '--detach-keys', 'bad-x', 'busybox', 'true']);
      expect(refused.stderr).toMatch(/unable to upgrade to tcp, received 400/);
    });
  },
);

// The real docker CLI against a sandbox, and the same script against a real dockerd where BERTH_PEER names its socket.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DockerCli } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const unique = (prefix: string) => `${prefix}-${randomBytes(4).toString('hex')}`;

describe.skipIf(engineMissing).each(dockerTargets('cli'))(
  `docker CLI on $title${engineMissing ? ` (${engineMissing})` : ''}`,
  (target) => {
    let docker: DockerCli;
    beforeAll(async () => {
      docker = await target.open();
    });
    afterAll(async () => {
      await target.close();
    });

    describe('docker run', () => {
      it('prints the output and passes on the exit code', async () => {
        const result = await docker.run([
          'run',
          '--rm',
          'busybox',
          'sh',
          '-c',
          'echo out; echo err >&2; exit 7',
        ]);
        expect(result).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n' });
      });

      it('reads stdin with -i', async () => {
        const result = await docker.run(['run', '--rm', '-i', 'busybox', 'wc', '-c'], {
          stdin: 'x'.repeat(300_000),
        });
        expect(result).toMatchObject({ code: 0, stdout: '300000\n' });
      });

      it('gives a terminal with -t, of the size of the client', async () => {
        const result = await docker.tty([
          'run',
          '--rm',
          '-t',
          'busybox',
          'sh',
          '-c',
          'tty; test -t 1 && echo is a terminal',
        ]);
        expect(result.stdout).toContain('/dev/pts/0');
        expect(result.stdout).toContain('is a terminal');
      });

      it('reports a program that is not there with 127, and one that cannot be run with 126', async () => {
        const missing = await docker.run(['run', '--rm', 'busybox', 'nosuch']);
        expect(missing.code).toBe(127);
        expect(missing.stderr).toContain('executable file not found in $PATH');
        const directory = await docker.run(['run', '--rm', 'busybox', '/etc']);
        expect(directory.code).toBe(126);
        expect(directory.stderr).toMatch(/permission denied|is a directory/);
      });

      it('refuses a name that is taken', async () => {
        const name = unique('taken');
        const id = await docker.ok('run', '-d', '--name', name, 'busybox', 'sleep', '60');
        const second = await docker.run(['run', '--name', name, 'busybox', 'true']);
        expect(second.code).toBe(125);
        expect(second.stderr).toContain(
          `Conflict. The container name "/${name}" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
        );
        await docker.ok('rm', '-f', name);
      });

      it('honors env, workdir, user, hostname, read-only, tmpfs and entrypoint', async () => {
        const script =
          'echo $GREETING $(pwd) $(id -u):$(id -g) $(hostname); touch /x 2>&1; touch /scratch/y && echo scratch';
        const result = await docker.run([
          ...[
            'run',
            '--rm',
            '-e',
            'GREETING=hi',
            '-w',
            '/tmp',
            '-u',
            '1000:1001',
            '-h',
            'box',
            '--read-only',
          ],
          ...['--tmpfs', '/scratch:mode=1777', '--entrypoint', 'sh', 'busybox', '-c', script],
        ]);
        expect(result.stdout).toContain('hi /tmp 1000:1001 box\n');
        expect(result.stdout).toContain('Read-only file system');
        expect(result.stdout).toContain('scratch\n');
      });

      it('limits memory and processes by the kernel', async () => {
        const result = await docker.run([
          ...['run', '--rm', '-m', '64m', '--pids-limit', '20', 'busybox', 'sh', '-c'],
          'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null;' +
            ' cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null',
        ]);
        expect(result.stdout.trim().split('\n')).toEqual(['67108864', '20']);
      });

      it('kills a container that uses more memory than it may, and says so', async () => {
        const name = unique('oom');
        const result = await docker.run([
          'run',
          '--name',
          name,
          '-m',
          '16m',
          'busybox',
          'sh',
          '-c',
          'tail /dev/zero',
        ]);
        expect(result.code).toBe(137);
        expect(await docker.ok('inspect', '-f', '{{.State.OOMKilled}} {{.State.ExitCode}}', name)).toBe(
          'true 137',
        );
        await docker.ok('rm', name);
      });

      it('bind-mounts directories of the lab host', async () => {
        const result = await docker.run([
          'run',
          '--rm',
          '-v',
          '/etc:/host-etc:ro',
          'busybox',
          'sh',
          '-c',
          'touch /host-etc/x; ls /host-etc/passwd',
        ]);
        expect(result.stdout).toContain('/host-etc/passwd');
        expect(result.stderr).toContain('Read-only file system');
      });

      it('gives Docker’s default capabilities, seccomp mode and masked paths', async () => {
        const result = await docker.run([
          'run',
          '--rm',
          'busybox',
          'sh',
          '-c',
          'grep -E "CapEff|Seccomp:|NoNewPrivs" /proc/self/status; wc -c < /proc/kcore; echo x > /proc/sys/kernel/hostname',
        ]);
        expect(result.stdout).toContain('CapEff:\t00000000a80425fb');
        expect(result.stdout).toContain('Seccomp:\t2');
        expect(result.stderr).toContain('Read-only file system');
      });
    });

    describe('docker ps, inspect, rename, rm', () => {
      it('lists by filters and shows states', async () => {
        const name = unique('listed');
        await docker.ok('run', '-d', '--name', name, '--label', `t=${name}`, 'busybox', 'sleep', '60');
        expect(
          await docker.ok(
            'ps',
            '--filter',
            `label=t=${name}`,
            '--format',
            '{{.Names}} {{.Image}} {{.State}}',
          ),
        ).toBe(`${name} busybox running`);
        await docker.ok('kill', name);
        expect(await docker.ok('ps', '--filter', `name=${name}`, '-q')).toBe('');
        expect(await docker.ok('ps', '-a', '--filter', `name=${name}`, '--format', '{{.Status}}')).toMatch(
          /^Exited \(137\) /,
        );
        await docker.ok('rename', name, `${name}-2`);
        expect(await docker.ok('inspect', '-f', '{{.Name}}', `${name}-2`)).toBe(`/${name}-2`);
        await docker.ok('rm', `${name}-2`);
      });

      it('refuses to remove a running container without force', async () => {
        const name = unique('running');
        const id = await docker.ok('run', '-d', '--name', name, 'busybox', 'sleep', '60');
        const refused = await docker.run(['rm', name]);
        expect(refused.code).toBe(1);
        expect(refused.stderr).toMatch(
          /cannot remove container .*: container is running: stop the container before removing or force remove/,
        );
        expect(await docker.ok('rm', '-f', id.slice(0, 12))).toBe(id.slice(0, 12));
        const gone = await docker.run(['inspect', '--type', 'container', name]);
        expect(gone.stderr).toMatch(/no such container: /i);
      });
    });

    describe('docker logs', () => {
      it('separates streams, tails, stamps and follows to the end', async () => {
        const name = unique('logs');
        await docker.ok(
          'run',
          '--name',
          name,
          '-d',
          'busybox',
          'sh',
          '-c',
          'for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; done; sleep 1; echo last',
        );
        const followed = await docker.run(['logs', '-f', name]);
        expect(followed.stdout).toBe('o1\no2\no3\no4\no5\nlast\n');
        expect(followed.stderr).toBe('e1\ne2\ne3\ne4\ne5\n');
        expect((await docker.run(['logs', '--tail', '1', name])).stdout).toBe('last\n');
        expect((await docker.run(['logs', '-t', '--tail', '1', name])).stdout).toMatch(
          /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z last\n$/,
        );
        expect((await docker.run(['logs', '--since', '2100-01-01', name])).stdout).toBe('');
        await docker.ok('rm', name);
      });
    });

    describe('docker exec', () => {
      let name: string;
      beforeAll(async () => {
        name = unique('exec');
        await docker.ok('run', '-d', '--name', name, '-e', 'BASE=b', 'busybox', 'sleep', '600');
      });
      afterAll(async () => {
        await docker.ok('rm', '-f', name);
      });

      it('runs in the container and passes on the exit code and streams', async () => {
        const result = await docker.run([
          'exec',
          '-e',
          'MORE=m',
          '-w',
          '/tmp',
          name,
          'sh',
          '-c',
          'echo $BASE$MORE $(pwd); echo err >&2; exit 3',
        ]);
        expect(result).toEqual({ code: 3, stdout: 'bm /tmp\n', stderr: 'err\n' });
      });

      it('reads stdin with -i', async () => {
        expect(await docker.run(['exec', '-i', name, 'cat'], { stdin: 'through' })).toMatchObject({
          code: 0,
          stdout: 'through',
        });
      });

      it('gives a terminal with -it', async () => {
        const result = await docker.tty(['exec', '-t', name, 'tty']);
        expect(result.stdout).toContain('/dev/pts/');
        expect(result.code).toBe(0);
      });

      it('reports a missing program', async () => {
        const result = await docker.run(['exec', name, 'nosuch']);
        // Docker 26 exits 126 here, later ones 127.
        expect([126, 127]).toContain(result.code);
        expect(result.stderr + result.stdout).toContain('executable file not found in $PATH');
      });

      it('goes on after the account files were removed', async () => {
        const bare = unique('bare');
        await docker.ok(
          'run',
          '-d',
          '--name',
          bare,
          'busybox',
          'sh',
          '-c',
          'rm -f /etc/passwd /etc/group; sleep 600',
        );
        await sleep(300);
        expect(await docker.run(['exec', bare, 'id', '-u'])).toMatchObject({ code: 0, stdout: '0\n' });
        await docker.ok('restart', '-t', '0', bare);
        expect(await docker.run(['exec', '-u', '5', bare, 'id', '-u'])).toMatchObject({
          code: 0,
          stdout: '5\n',
        });
        await docker.ok('rm', '-f', bare);
      });

      it('refuses a stopped container', async () => {
        const stopped = unique('stopped');
        const id = await docker.ok('create', '--name', stopped, 'busybox', 'true');
        const result = await docker.run(['exec', stopped, 'true']);
        expect(result.code).toBe(1);
        expect(result.stderr).toContain(`container ${id} is not running`);
        await docker.ok('rm', stopped);
      });
    });

    describe('docker stop, start, restart, wait, kill', () => {
      it('stops by the stop signal, then starts again with the same file system', async () => {
        const name = unique('stop');
        await docker.ok(
          'run',
          '-d',
          '--name',
          name,
          'busybox',
          'sh',
          '-c',
          'trap "exit 5" TERM; echo run >> /count; wc -l < /count; while :; do sleep 0.1; done',
        );
        await sleep(300);
        await docker.ok('stop', name);
        expect(await docker.ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', name)).toBe(
          'exited 5',
        );
        await docker.ok('start', name);
        await sleep(300);
        expect(await docker.ok('logs', name)).toBe('1\n2');
        await docker.ok('restart', '-t', '2', name);
        await sleep(300);
        expect(await docker.ok('logs', name)).toBe('1\n2\n3');
        await docker.ok('rm', '-f', name);
      });

      it('kills what ignores the stop signal after the timeout', async () => {
        const name = unique('stubborn');
        await docker.ok(
          'run',
          '-d',
          '--name',
          name,
          'busybox',
          'sh',
          '-c',
          'trap "" TERM; while :; do sleep 0.1; done',
        );
        await docker.ok('stop', '-t', '1', name);
        expect(await docker.ok('inspect', '-f', '{{.State.ExitCode}}', name)).toBe('137');
        await docker.ok('rm', name);
      });

      it('waits for the exit code', async () => {
        const name = unique('wait');
        await docker.ok('run', '-d', '--name', name, 'busybox', 'sh', '-c', 'sleep 0.5; exit 9');
        expect(await docker.ok('wait', name)).toBe('9');
        const twice = await docker.run(['kill', name]);
        expect(twice.stderr).toMatch(/cannot kill container: .*: container [0-9a-f]{64} is not running/);
        await docker.ok('rm', name);
      });
    });

    describe('docker attach', () => {
      it('detaches by the detach keys and leaves the container running', async () => {
        const name = unique('attach');
        await docker.ok('run', '-dit', '--name', name, 'busybox', 'sh');
        const argv = docker.argv('attach', '--detach-keys', 'ctrl-x,q', name).join(' ');
        const child = spawn('script', ['-qec', argv, '/dev/null'], { stdio: 'pipe' });
        const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
        let seen = '';
        child.stdout.on('data', (chunk: Buffer) => {
          seen += chunk;
        });
        await sleep(500);
        child.stdin.write('echo at$((40+2))tached\n');
        await expect.poll(() => seen, { timeout: 5000 }).toContain('at42tached');
        child.stdin.write('\x18q');
        await ended;
        expect(await docker.ok('inspect', '-f', '{{.State.Status}}', name)).toBe('running');
        await docker.ok('rm', '-f', name);
      });
    });

    describe('docker events', () => {
      it('tells what happened, in order', async () => {
        const name = unique('events');
        const since = String((Date.now() - 500) / 1000);
        await docker.ok('run', '--rm', '--name', name, 'busybox', 'true');
        const until = String((Date.now() + 500) / 1000);
        const lines = await docker.ok(
          'events',
          '--since',
          since,
          '--until',
          until,
          '--filter',
          `container=${name}`,
          '--format',
          '{{.Type}} {{.Action}}',
        );
        const container = lines.split('\n').filter((line) => line.startsWith('container'));
        expect(container).toEqual(
          ['create', 'attach', 'start', 'die', 'destroy'].map((action) => `container ${action}`),
        );
      });
    });

    describe('errors', () => {
      it('says that an image is not there', async () => {
        const result = await docker.run(['run', '--rm', '--pull', 'never', 'nosuch-image-at-all']);
        expect(result.code).toBe(125);
        expect(result.stderr).toContain('No such image: nosuch-image-at-all:latest');
      });

      it('says that a container is not there', async () => {
        expect((await docker.run(['start', 'nosuch'])).stderr).toContain('No such container: nosuch');
        expect((await docker.run(['logs', 'nosuch'])).stderr).toContain('No such container: nosuch');
      });
    });
  },
);

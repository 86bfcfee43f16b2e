// docker update, --init, --device, --runtime and cgroup parents, by the real CLI, on Berth and a real dockerd.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DockerCli } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const TIMEOUT = 60_000;

describe.skipIf(engineMissing).each(dockerTargets('update'))(
  `resources of a container on $title${engineMissing ? ` (${engineMissing})` : ''}`,
  (target) => {
    let docker: DockerCli;
    const made: string[] = [];
    beforeAll(async () => {
      docker = await target.open();
    }, TIMEOUT);
    afterAll(async () => {
      await docker?.run(['rm', '-f', ...made]);
      await target.close();
    }, TIMEOUT);

    async function container(...options: string[]): Promise<string> {
      const name = `u${randomBytes(4).toString('hex')}`;
      made.push(name);
      await docker.ok('run', '-d', '--name', name, ...options, 'busybox', 'sleep', '600');
      return name;
    }
    const inspect = (name: string, format: string) => docker.ok('inspect', '-f', format, name);
    const refusal = async (...args: string[]) => {
      const { code, stderr } = await docker.run(args);
      expect(code, args.join(' ')).not.toBe(0);
      return stderr.trim();
    };

    it('changes limits at once', { timeout: TIMEOUT }, async () => {
      const name = await container('-m', '64m');
      await docker.ok(
        'update',
        '-m',
        '96m',
        '--memory-swap',
        '128m',
        '--cpus',
        '0.5',
        '--pids-limit',
        '50',
        name,
      );
      expect(
        await inspect(
          name,
          '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}',
        ),
      ).toBe('100663296 134217728 500000000 50');
      if (!target.isBerth) return;
      const limits = async () =>
        docker.ok(
          ...['exec', name, 'sh', '-c'],
          'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true',
        );
      expect(await limits()).toBe('100663296\n50');
      await docker.ok('update', '--pids-limit', '-1', name);
      expect(await limits()).toBe('100663296\nmax');
      await docker.ok('restart', '-t', '0', name);
      expect(await limits()).toBe('100663296\nmax');
    });

    it('changes the restart policy, also of one that does not run', { timeout: TIMEOUT }, async () => {
      const name = await container();
      await docker.ok('update', '--restart', 'on-failure:3', name);
      expect(await inspect(name, '{{json .HostConfig.RestartPolicy}}')).toBe(
        '{"Name":"on-failure","MaximumRetryCount":3}',
      );
      await docker.ok('stop', '-t', '0', name);
      await docker.ok('update', '--restart', 'no', '-m', '32m', '--memory-swap', '64m', name);
      expect(await inspect(name, '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.Memory}}')).toBe(
        'no 33554432',
      );
    });

    it('refuses what cannot be, and changes nothing then', { timeout: TIMEOUT }, async () => {
      const name = await container('--cpus', '0.5', '-m', '64m', '--memory-swap', '64m');
      const id = await inspect(name, '{{.Id}}');
      expect(await refusal('update', '--cpu-period', '50000', name)).toBe(
        `Error response from daemon: Cannot update container ${id}: Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set`,
      );
      expect(await refusal('update', '-m', '1m', name)).toContain('Minimum memory limit allowed is 6MB');
      expect(await refusal('update', '-m', '128m', name)).toContain(
        'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
      );
      expect(await refusal('update', '--restart', 'sometimes', name)).toContain('sometimes');
      expect(await refusal('update', '-m', '64m', 'nosuch')).toContain('No such container: nosuch');
      expect(await inspect(name, '{{.HostConfig.Memory}} {{.HostConfig.CpuPeriod}}')).toBe('67108864 0');
      const brief = await container('--rm');
      expect(await refusal('update', '--restart', 'always', brief)).toContain(
        'Restart policy cannot be updated because AutoRemove is enabled for the container',
      );
    });

    it('tells of it', { timeout: TIMEOUT }, async () => {
      const name = await container();
      const since = String(Date.now() / 1000);
      await docker.ok('update', '--cpu-shares', '512', name);
      const events = await docker.ok(
        ...[
          'events',
          '--since',
          since,
          '--until',
          String(Date.now() / 1000 + 1),
          '--filter',
          `container=${name}`,
        ],
        ...['--format', '{{.Action}}'],
      );
      expect(events).toBe('update');
    });

    it('has an init that reaps', { timeout: TIMEOUT }, async () => {
      expect(await docker.ok('run', '--rm', '--init', 'busybox', 'ps', '-o', 'pid,args')).toMatch(
        /^PID\s+COMMAND\n\s+1 \/sbin\/docker-init -- ps -o pid,args\n/,
      );
      const reaped = 'sh -c "sleep 0 & exec sleep 0.2" & sleep 1; ps -o stat | grep -c Z; true';
      expect(await docker.ok('run', '--rm', '--init', 'busybox', 'sh', '-c', reaped)).toBe('0');
      expect((await docker.run(['run', '--rm', '--init', 'busybox', 'sh', '-c', 'exit 7'])).code).toBe(7);
    });

    it('has devices', { timeout: TIMEOUT }, async () => {
      const output = await docker.ok(
        ...['run', '--rm', '--device', '/dev/zero:/dev/nothing:rw', 'busybox', 'sh', '-c'],
        'test -c /dev/nothing && head -c 3 /dev/nothing | wc -c',
      );
      expect(output).toBe('3');
      expect(await refusal('run', '--rm', '--device', '/dev/nosuch', 'busybox', 'true')).toContain(
        'error gathering device information while adding custom device "/dev/nosuch": no such file or directory',
      );
    });

    it('warns of what the kernel does not have, and refuses what Docker refuses', {
      timeout: TIMEOUT,
    }, async () => {
      const { code, stderr } = await docker.run(['run', '--rm', '--blkio-weight', '300', 'busybox', 'true']);
      expect(code).toBe(0);
      expect(stderr).toContain('Your kernel does not support Block I/O weight');
      expect(await refusal('run', '--rm', '--storage-opt', 'size=1G', 'busybox', 'true')).toContain(
        "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
      );
      expect(await refusal('run', '--rm', '--runtime', 'nosuch', 'busybox', 'true')).toContain(
        'unknown or invalid runtime name: nosuch',
      );
    });

    it('puts a container into a cgroup of choice', { timeout: TIMEOUT }, async () => {
      const parent = `/lesson${randomBytes(2).toString('hex')}`;
      const cgroups = await docker.ok(
        ...[
          'run',
          '--rm',
          '--cgroupns',
          'host',
          '--cgroup-parent',
          parent,
          'busybox',
          'cat',
          '/proc/self/cgroup',
        ],
      );
      expect(cgroups).toMatch(new RegExp(`:(?:/[^\\n]*)?${parent}/[0-9a-f]{64}$`, 'm'));
    });

    it('runs by another runtime', { timeout: TIMEOUT }, async () => {
      expect(await docker.ok('run', '--rm', '--runtime', 'runc', 'busybox', 'echo', 'by runc')).toBe(
        'by runc',
      );
      const name = await container('--runtime', 'runc');
      expect(await inspect(name, '{{.HostConfig.Runtime}}')).toBe('runc');
      if (target.isBerth) expect(await docker.ok('exec', name, 'echo', 'inside')).toBe('inside');
      await docker.ok('rm', '-f', name);
    });
  },
);

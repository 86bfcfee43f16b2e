// Health checks by the real docker CLI, on Berth and, where BERTH_PEER names its socket, on a real dockerd.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { DockerCli } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const unique = (prefix: string) => `${prefix}-${randomBytes(4).toString('hex')}`;

const Health = z.object({
  Status: z.string(),
  FailingStreak: z.number(),
  Log: z.array(z.object({ Start: z.string(), End: z.string(), ExitCode: z.number(), Output: z.string() })),
});

describe.skipIf(engineMissing).each(dockerTargets('health'))(
  `health checks on $title${engineMissing ? ` (${engineMissing})` : ''}`,
  (target) => {
    let docker: DockerCli;
    beforeAll(async () => {
      docker = await target.open();
    });
    afterAll(async () => {
      await target.close();
    });

    const healthOf = async (name: string) =>
      Health.parse(JSON.parse(await docker.ok('inspect', '-f', '{{json .State.Health}}', name)));
    const becomes = (name: string, status: string) =>
      expect.poll(async () => (await healthOf(name)).Status, { timeout: 10_000, interval: 50 }).toBe(status);
    const runProbed = async (command: string, ...options: string[]) => {
      const name = unique('health');
      await docker.ok(
        ...['run', '-d', '--name', name, '--health-cmd', command, '--health-interval', '200ms'],
        ...[...options, 'busybox', 'sleep', '600'],
      );
      return name;
    };
    const statusOf = (name: string) =>
      docker.ok('ps', '-a', '--filter', `name=${name}`, '--format', '{{.Status}}');

    it('tells starting, unhealthy and healthy, with events and the output', async () => {
      const since = String((Date.now() - 500) / 1000);
      // of its own, and removed again: docker exec of some test machines' dockerd sees the host's files
      const file = `/tmp/${unique('ok')}`;
      const name = await runProbed(`cat ${file}`, '--health-retries', '2');
      expect(await healthOf(name)).toMatchObject({ Status: 'starting', FailingStreak: 0, Log: [] });
      expect(await statusOf(name)).toMatch(/^Up .* \(health: starting\)$/);
      await becomes(name, 'unhealthy');
      expect(await statusOf(name)).toMatch(/^Up .* \(unhealthy\)$/);
      const sick = await healthOf(name);
      expect(sick.FailingStreak).toBeGreaterThanOrEqual(2);
      expect(sick.Log[0]).toMatchObject({ ExitCode: 1, Output: expect.stringContaining(`${file}`) });
      expect(await docker.ok('ps', '-q', '--filter', `name=${name}`, '--filter', 'health=healthy')).toBe('');
      await docker.ok('exec', name, 'sh', '-c', `mkdir -p /tmp; echo fine > ${file}`);
      await becomes(name, 'healthy');
      expect(await statusOf(name)).toMatch(/^Up .* \(healthy\)$/);
      const well = await healthOf(name);
      expect(well.FailingStreak).toBe(0);
      expect(well.Log.length).toBeLessThanOrEqual(5);
      expect(well.Log.at(-1)).toMatchObject({ ExitCode: 0, Output: 'fine\n' });
      expect(await docker.ok('ps', '-q', '--filter', `name=${name}`, '--filter', 'health=healthy')).not.toBe(
        '',
      );
      const events = await docker.ok(
        ...['events', '--since', since, '--until', String(Date.now() / 1000)],
        ...['--filter', `container=${name}`, '--format', '{{.Action}}'],
      );
      const actions = events.split('\n');
      expect(actions.filter((action) => action.startsWith('health_status'))).toEqual([
        'health_status: unhealthy',
        'health_status: healthy',
      ]);
      expect(actions.slice(0, 5)).toEqual([
        'create',
        'start',
        `exec_create: /bin/sh -c cat ${file}`,
        `exec_start: /bin/sh -c cat ${file}`,
        'exec_die',
      ]);
      await docker.ok('exec', name, 'rm', file);
      await docker.ok('rm', '-f', name);
    });

    it('stops while paused or stopped, and begins anew', async () => {
      const name = await runProbed('true');
      await becomes(name, 'healthy');
      await docker.ok('pause', name);
      const paused = await healthOf(name);
      expect(paused.Status).toBe('unhealthy');
      expect(await statusOf(name)).toMatch(/\(Paused\)$/);
      await sleep(500);
      expect((await healthOf(name)).Log.at(-1)).toEqual(paused.Log.at(-1));
      await docker.ok('unpause', name);
      await becomes(name, 'healthy');
      await docker.ok('stop', '-t', '0', name);
      expect((await healthOf(name)).Status).toBe('unhealthy');
      expect(await statusOf(name)).toMatch(/^Exited \(137\) [^(]*$/);
      await docker.ok('start', name);
      expect((await healthOf(name)).Status).toBe('starting');
      expect((await healthOf(name)).Log.length).toBeGreaterThan(0);
      await becomes(name, 'healthy');
      await docker.ok('rm', '-f', name);
    });

    it('ends a probe that takes too long, and cuts long output', async () => {
      const slow = await runProbed('echo hi; sleep 60', '--health-timeout', '300ms', '--health-retries', '1');
      const loud = await runProbed('yes | head -c 5000');
      await becomes(slow, 'unhealthy');
      expect((await healthOf(slow)).Log[0]).toMatchObject({
        ExitCode: -1,
        Output: 'Health check exceeded timeout (300ms): hi\n',
      });
      await becomes(loud, 'healthy');
      expect((await healthOf(loud)).Log[0]?.Output).toBe(`${'y\n'.repeat(2048)}...`);
      await docker.ok('rm', '-f', slow, loud);
    });

    it('does not count failures of the start period, and probes at its interval', async () => {
      const name = await runProbed(
        'exit 3',
        ...['--health-interval', '10m', '--health-start-period', '10m', '--health-start-interval', '100ms'],
        ...['--health-retries', '1'],
      );
      await expect.poll(async () => (await healthOf(name)).Log.length, { timeout: 10_000 }).toBe(5);
      expect(await healthOf(name)).toMatchObject({ Status: 'starting', FailingStreak: 0 });
      await docker.ok('rm', '-f', name);
    });

    it('takes the check of an image, which the user may change or drop', async () => {
      const base = unique('probed');
      await docker.ok('create', '--name', base, 'busybox', 'sleep', '600');
      await docker.ok('commit', '--change', 'HEALTHCHECK --interval=200ms --retries=5 CMD true', base, base);
      expect(await docker.ok('inspect', '-f', '{{json .Config.Healthcheck}}', `${base}:latest`)).toBe(
        '{"Test":["CMD-SHELL","true"],"Interval":200000000,"Retries":5}',
      );
      await docker.ok('rm', base);
      await docker.ok('run', '-d', '--name', base, '--health-retries', '1', base);
      expect(
        await docker.ok('inspect', '-f', '{{json .Config.Healthcheck}}', '--type', 'container', base),
      ).toBe('{"Test":["CMD-SHELL","true"],"Interval":200000000,"Retries":1}');
      await becomes(base, 'healthy');
      await docker.ok('rm', '-f', base);
      await docker.ok('run', '-d', '--name', base, '--no-healthcheck', base);
      expect(await docker.ok('inspect', '-f', '{{json .State.Health}}', '--type', 'container', base)).toBe(
        'null',
      );
      expect(await docker.ok('ps', '-q', '--filter', `name=${base}`, '--filter', 'health=none')).not.toBe('');
      await docker.ok('rm', '-f', base);
      await docker.ok('rmi', base);
    });

    it('refuses what makes no sense', async () => {
      const refused = await docker.run([
        'run',
        '--health-cmd',
        'true',
        '--health-interval',
        '1us',
        'busybox',
      ]);
      expect(refused.code).toBe(125);
      expect(refused.stderr).toContain('Interval in Healthcheck cannot be less than 1ms');
    });

    it('reports a probe whose program is not there', async () => {
      const name = unique('health');
      await docker.ok('create', '--name', name, 'busybox', 'sleep', '600');
      await docker.ok(
        'commit',
        '--change',
        'HEALTHCHECK --interval=200ms --retries=1 CMD ["nosuch"]',
        name,
        name,
      );
      await docker.ok('rm', name);
      await docker.ok('run', '-d', '--name', name, name);
      await becomes(name, 'unhealthy');
      expect((await healthOf(name)).Log[0]).toMatchObject({
        ExitCode: -1,
        Output: expect.stringContaining('exec: "nosuch": executable file not found in $PATH: unknown'),
      });
      await docker.ok('rm', '-f', name);
      await docker.ok('rmi', name);
    });

    it.runIf(target.isBerth)('goes on after the engine was killed, and leaves nothing behind', async () => {
      const name = await runProbed(
        'sleep 0.3; test -e /ok',
        '--health-retries',
        '1',
        '--health-timeout',
        '5s',
      );
      await becomes(name, 'unhealthy');
      const before = await healthOf(name);
      await target.engine().end('SIGKILL');
      await target.engine().up();
      const after = await healthOf(name);
      expect(after.Status).toBe('unhealthy');
      expect(after.Log.map(({ Start }) => Start)).toContain(before.Log.at(-1)?.Start);
      await docker.ok('exec', name, 'touch', '/ok');
      await becomes(name, 'healthy');
      await docker.ok('rm', '-f', name);
      const { stdout } = await target.engine().control.run('health', { argv: ['pgrep', '-c', 'sleep'] });
      expect(stdout.trim()).toBe('0');
    });

    it.runIf(target.isBerth)('takes the time that a lab host was frozen for no failure', async () => {
      const name = await runProbed('true', '--health-retries', '1', '--health-timeout', '300ms');
      await becomes(name, 'healthy');
      const { control } = target.engine();
      const since = Date.now();
      await control.freezeSandbox('health');
      await sleep(1500);
      await control.thawSandbox('health');
      const thawed = (await healthOf(name)).Log.length;
      expect(thawed).toBeGreaterThan(0);
      await sleep(1000);
      const health = await healthOf(name);
      expect(health).toMatchObject({ Status: 'healthy', FailingStreak: 0 });
      expect(Date.parse(health.Log.at(-1)?.Start ?? '')).toBeGreaterThan(since + 1500);
      const { stdout } = await control.run('health', { argv: ['sh', '-c', 'ps -e | grep -c crun'] });
      expect(stdout.trim()).toBe('0');
      await docker.ok('rm', '-f', name);
    });

    it.runIf(target.isBerth)('probes many containers', async () => {
      const names = await Promise.all(
        Array.from({ length: 20 }, () => runProbed('true', '--health-interval', '500ms')),
      );
      await Promise.all(names.map((name) => becomes(name, 'healthy')));
      await docker.ok('rm', '-f', ...names);
    });
  },
);

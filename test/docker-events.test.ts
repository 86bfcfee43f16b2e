// What docker events tells, in order, of a container's life, and what its filters let through; on Berth and, where
// BERTH_PEER names its socket, on a real dockerd.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DockerCli } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const unique = (prefix: string) => `${prefix}-${randomBytes(4).toString('hex')}`;

describe.skipIf(engineMissing).each(dockerTargets('events'))(
  `docker events on $title${engineMissing ? ` (${engineMissing})` : ''}`,
  (target) => {
    let docker: DockerCli;
    beforeAll(async () => {
      docker = await target.open();
    });
    afterAll(async () => {
      await target.close();
    });

    async function events(since: number, format: string, ...filters: string[]): Promise<string[]> {
      const lines = await docker.ok(
        ...['events', '--since', String(since), '--until', String(Date.now() / 1000), '--format', format],
        ...filters.flatMap((filter) => ['--filter', filter]),
      );
      return lines.split('\n').filter(Boolean);
    }

    it('follow a container from its making to its end', async () => {
      const since = Date.now() / 1000 - 0.2;
      const name = unique('life');
      const run = (...args: string[]) => docker.run(args);
      const id = await docker.ok('create', '--name', name, '--label', 'a=b', 'busybox', 'sleep', '100');
      await run('start', name);
      await run('rename', name, `${name}-2`);
      await run('pause', name);
      await run('pause', `${name}-2`);
      await run('unpause', `${name}-2`);
      await run('exec', `${name}-2`, 'true');
      await run('top', `${name}-2`);
      await run('kill', '-s', 'USR1', `${name}-2`);
      await run('kill', `${name}-2`);
      await run('start', `${name}-2`);
      await run('restart', '-t', '0', `${name}-2`);
      await run('rm', '-f', `${name}-2`);
      const told = await events(since, '{{.Action}}', `container=${id}`);
      const actions = told.map((action) => action.replace(/:.*/, ''));
      // dockerd tells the end of a stopped container and its stop in either order
      const steady = actions.filter((action) => !['die', 'stop', 'kill'].includes(action));
      expect(steady).toEqual([
        ...['create', 'start', 'rename', 'pause', 'unpause', 'exec_create', 'exec_start', 'exec_die', 'top'],
        ...['start', 'start', 'restart', 'destroy'],
      ]);
      const count = (wanted: string) => actions.filter((action) => action === wanted).length;
      expect([count('die'), count('stop')]).toEqual([3, 1]);
      const [renamed] = await events(
        since,
        '{{.Actor.Attributes.name}} {{.Actor.Attributes.oldName}} {{.Actor.Attributes.a}}',
        `container=${id}`,
        'event=rename',
      );
      expect(renamed).toBe(`${name}-2 /${name} b`);
    });

    it('tell why a container ended', async () => {
      const since = Date.now() / 1000 - 0.2;
      const name = unique('why');
      await docker.run(['run', '--name', name, '-m', '16m', 'busybox', 'sh', '-c', 'tail /dev/zero']);
      const told = async () => {
        const all = await events(since, '{{.Action}} {{.Actor.Attributes.exitCode}}', `container=${name}`);
        return all.filter((line) => /^(oom|die)/.test(line)).sort();
      };
      await expect.poll(told, { timeout: 5000 }).toEqual(['die 137', 'oom <no value>']);
      await docker.ok('rm', name);
    });

    it('pass filters of every kind', async () => {
      const since = Date.now() / 1000 - 0.2;
      const name = unique('filtered');
      const label = unique('l');
      const network = unique('n');
      const volume = unique('v');
      await docker.ok('run', '--rm', '--name', name, '--label', `${label}=1`, 'busybox', 'true');
      await docker.ok('network', 'create', network);
      await docker.ok('network', 'rm', network);
      await docker.ok('volume', 'create', volume);
      await docker.ok('volume', 'rm', volume);
      const only = (...filters: string[]) => events(since, '{{.Type}} {{.Action}}', ...filters);
      const life = ['create', 'attach', 'start', 'die', 'destroy'].map((action) => `container ${action}`);
      expect(await only(`container=${name}`)).toEqual(life);
      expect(await only(`label=${label}`)).toEqual(life);
      expect(await only(`label=${label}=1`, 'event=start', 'event=die')).toEqual([
        'container start',
        'container die',
      ]);
      expect(await only(`label=${label}=2`)).toEqual([]);
      expect(await only(`container=${name}`, 'type=image')).toEqual([]);
      expect(await only('type=network', `network=${network}`)).toEqual(['network create', 'network destroy']);
      expect(await only(`volume=${volume}`)).toEqual(['volume create', 'volume destroy']);
      expect(await only(`label=${label}`, 'image=busybox', 'event=create')).toEqual(['container create']);
      expect(await only(`label=${label}`, 'image=nosuch')).toEqual([]);
      expect(await only(`label=${label}`, 'scope=swarm')).toEqual([]);
      expect(await only(`label=${label}`, 'daemon=nosuch')).toEqual([]);
    });

    it('come as they happen', async () => {
      const name = unique('live');
      // begins a moment ago, since the client needs a while to ask
      const since = String(Date.now() / 1000 - 0.1);
      const watch = docker.run(
        [
          'events',
          '--since',
          since,
          '--until',
          String(Date.now() / 1000 + 3),
          '--filter',
          `container=${name}`,
          '--format',
          '{{.Action}}',
        ],
        { timeout: 20_000 },
      );
      await docker.ok('run', '--rm', '--name', name, 'busybox', 'true');
      expect((await watch).stdout.split('\n').filter(Boolean)).toEqual([
        'create',
        'attach',
        'start',
        'die',
        'destroy',
      ]);
    });
  },
);

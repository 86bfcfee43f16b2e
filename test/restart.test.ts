// kill -9 of the engine in the middle of things: nothing acknowledged is lost, nothing runs twice, nothing is left over.

import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DockerCli } from './support/docker.ts';
import { engineMissing, TestEngine } from './support/engine.ts';
import { Screen } from './support/screen.ts';

describe.skipIf(engineMissing)(`kill -9 of the engine${engineMissing ? ` (${engineMissing})` : ''}`, () => {
  let engine: TestEngine;
  let docker: DockerCli;

  beforeAll(async () => {
    engine = await TestEngine.start();
    await engine.control.createSandbox({ name: 'crash' });
    docker = await engine.docker('crash');
    await docker.ok('pull', 'busybox');
    await docker.ok('pull', 'nginx');
  });
  afterAll(async () => {
    await engine.dispose();
  });

  async function crash(meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    await engine.end('SIGKILL');
    await meanwhile();
    await engine.up();
  }

  it('leaves containers running, with their names, ports and logs', async () => {
    await docker.ok('run', '-d', '--name', 'web', '-p', '8080:80', 'nginx');
    await docker.ok(
      'run',
      '-d',
      '--name',
      'counter',
      'busybox',
      'sh',
      '-c',
      'i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done',
    );
    const before = await docker.ok(
      'inspect',
      '-f',
      '{{.Id}} {{.State.Pid}} {{.State.StartedAt}}',
      'web',
      'counter',
    );
    await sleep(300);
    await crash(() => sleep(500));
    expect(
      await docker.ok('inspect', '-f', '{{.Id}} {{.State.Pid}} {{.State.StartedAt}}', 'web', 'counter'),
    ).toBe(before);
    const page = await engine.control.run('crash', { argv: ['curl', '-s', 'http://localhost:8080/'] });
    expect(page.stdout).toContain('Welcome to nginx!');
    const logged = (await docker.ok('logs', 'counter')).split('\n').map(Number);
    expect(logged).toEqual([...logged.keys()]);
    expect(logged.length).toBeGreaterThan(10);
    const taken = await docker.run(['run', '--rm', '-p', '8080:80', 'nginx', 'true']);
    expect(taken.stderr).toContain('port is already allocated');
    await docker.ok('rm', '-f', 'web', 'counter');
  });

  it('reports what ended meanwhile with its real exit code, time and output', async () => {
    const id = await docker.ok(
      'run',
      '-d',
      '--name',
      'short',
      'busybox',
      'sh',
      '-c',
      'sleep 1; echo said; exit 42',
    );
    let down = 0;
    await crash(async () => {
      await sleep(1800);
      down = Date.now();
    });
    expect(await docker.ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', id)).toBe('exited 42');
    expect(Date.parse(await docker.ok('inspect', '-f', '{{.State.FinishedAt}}', id))).toBeLessThan(down);
    expect(await docker.ok('logs', id)).toBe('said');
    await docker.ok('rm', id);
  });

  it('removes what was to be removed at its end, and restarts what was to be restarted', async () => {
    await docker.ok('run', '-d', '--rm', '--name', 'fleeting', 'busybox', 'sleep', '1');
    await docker.ok('run', '-d', '--restart', 'always', '--name', 'phoenix', 'busybox', 'sleep', '1');
    await crash(() => sleep(1800));
    expect(await docker.ok('ps', '-aq', '--filter', 'name=fleeting')).toBe('');
    await expect
      .poll(() => docker.ok('inspect', '-f', '{{.State.Status}}', 'phoenix'), { timeout: 5000 })
      .toBe('running');
    await docker.ok('rm', '-f', 'phoenix');
  });

  it('keeps terminals: what runs in them, and what they showed', async () => {
    await engine.control.createTerminal('crash', { id: 'one', rows: 24, cols: 80 });
    const first = new Screen(await engine.control.openTerminal('crash', 'one', { replay: true }));
    await first.waitFor(/[#$] $/);
    first.type('x=kept; echo before-$((40+2)); sleep 1; echo after-$((40+3))\r');
    await first.waitFor(/before-42/);
    await crash();
    const again = new Screen(await engine.control.openTerminal('crash', 'one', { replay: true }));
    await again.waitFor(/before-42[\s\S]*after-43/);
    again.type('echo $x-$x\r');
    await again.waitFor(/kept-kept/);
    again.close();
    await engine.control.deleteTerminal('crash', 'one');
  });

  it('at any moment of docker run and docker rm loses no acknowledged container and leaves no half one', {
    timeout: 120_000,
  }, async () => {
    const acknowledged = new Map<string, string>();
    for (let round = 0; round < 5; round++) {
      const jobs = [0, 1, 2].map(async (job) => {
        for (let n = 0; n < 50; n++) {
          const name = `r${round}j${job}n${n}`;
          const made = await docker.run(['run', '-d', '--name', name, 'busybox', 'sleep', '600']);
          if (made.code !== 0) return;
          acknowledged.set(name, made.stdout.trim());
          if (n % 2 === 0) continue;
          // A removal that was not acknowledged may have happened or not.
          acknowledged.delete(name);
          if ((await docker.run(['rm', '-f', name])).code !== 0) return;
        }
      });
      await sleep(150 + round * 137);
      await crash();
      await Promise.all(jobs);
    }
    const running = new Set((await docker.ok('ps', '-q', '--no-trunc')).split('\n'));
    for (const [name, id] of acknowledged) expect(running, `${name} was acknowledged`).toContain(id);
    expect(acknowledged.size).toBeGreaterThan(5);

    const all = (await docker.ok('ps', '-aq', '--no-trunc')).split('\n').filter(Boolean);
    const layers = await engine.control.run('crash', { argv: ['ls', '/var/lib/docker/overlay2'] });
    const strangers = layers.stdout
      .split('\n')
      .filter((name) => /^[0-9a-f]{64}$/.test(name) && !all.includes(name));
    expect(strangers).toEqual([]);
    if (all.length > 0) await docker.ok('rm', '-f', ...all);
    const left = async () => {
      const { stdout } = await engine.control.run('crash', {
        argv: [
          'sh',
          '-c',
          'ls /var/lib/docker/containers /run/docker/netns /run/crun; grep -c overlay2 /proc/mounts; ip -o link | grep -c veth; find /sys/fs/cgroup -path "*/docker/*" -type d | wc -l',
        ],
      });
      return stdout
        .replace(/\S+:\n/g, '')
        .trim()
        .split(/\s+/);
    };
    // The kernel takes a network namespace and its cables down a moment after its last user has gone.
    await expect.poll(left, { timeout: 10_000 }).toEqual(['0', '0', '0']);
  });

  it('leaves no temporary files in its data', () => {
    const names = readdirSync(engine.dataDir, { recursive: true, encoding: 'utf8' });
    expect(names.filter((name) => name.endsWith('.partial'))).toEqual([]);
  });
});

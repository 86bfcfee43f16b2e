// docker stats by the real CLI, on Berth and on a real dockerd: the same numbers for the same work.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from './support/api.ts';
import type { DockerCli } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const unique = (prefix: string) => `${prefix}-${randomBytes(4).toString('hex')}`;

describe.skipIf(engineMissing).each(dockerTargets('stats'))('docker stats on $title', (target) => {
  let docker: DockerCli;
  const busy = unique('busy');
  const idle = unique('idle');
  const created = unique('created');
  beforeAll(async () => {
    docker = await target.open();
    const script = 'dd if=/dev/zero of=/dev/shm/x bs=1M count=20 2>/dev/null; while :; do :; done';
    await docker.ok(
      'run',
      '-d',
      '--name',
      busy,
      '-m',
      '64m',
      '--pids-limit',
      '50',
      'busybox',
      'sh',
      '-c',
      script,
    );
    await docker.ok('run', '-d', '--name', idle, '--network', 'none', 'busybox', 'sleep', '1000');
    await docker.ok('create', '--name', created, 'busybox', 'true');
  });
  afterAll(async () => {
    await docker.run(['rm', '-f', busy, idle, created]);
    await target.close();
  });

  it('shows processor, memory and processes of what runs, and zeros of what does not', async () => {
    const format = '{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}} {{.NetIO}}';
    const lines = (await docker.ok('stats', '--no-stream', '--format', format, busy, idle, created)).split(
      '\n',
    );
    const of = (name: string) =>
      lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? '';
    expect(Number.parseFloat(of(busy))).toBeGreaterThan(10);
    expect(of(busy)).toMatch(/% 2\d\.\d+MiB \/ 64MiB 1 /);
    expect(Number.parseFloat(of(idle))).toBeLessThan(5);
    expect(of(idle)).toMatch(/ 1 0B \/ 0B$/);
    expect(of(created)).toBe('0.00% 0B / 0B 0 0B / 0B');
  });

  it('has the fields of the API', async () => {
    const read = (await ask(docker.socket, 'GET', `/containers/${busy}/stats?stream=0`)).body;
    expect(read).toMatchObject({
      name: `/${busy}`,
      pids_stats: { current: 1, limit: 50 },
      cpu_stats: { online_cpus: expect.any(Number), throttling_data: { periods: 0 } },
      precpu_stats: { system_cpu_usage: expect.any(Number) },
      memory_stats: { limit: 64 * 2 ** 20, usage: expect.any(Number) },
      networks: { eth0: { rx_bytes: expect.any(Number), tx_dropped: 0 } },
    });
    const once = (await ask(docker.socket, 'GET', `/containers/${idle}/stats?stream=0&one-shot=1`)).body;
    expect(once).toMatchObject({
      preread: '0001-01-01T00:00:00Z',
      precpu_stats: { cpu_usage: { total_usage: 0 } },
    });
    expect(once).not.toHaveProperty('networks');
  });

  it('streams a sample a second, over the end of the container', async () => {
    const [file = '', ...args] = docker.argv('stats', '--format', '{{.Name}}:{{.PIDs}}', idle);
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    let seen = '';
    child.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    try {
      await sleep(2500);
      expect(seen).toContain(`${idle}:1`);
      await docker.ok('kill', idle);
      seen = '';
      await sleep(2500);
      expect(seen).toContain(`${idle}:0`);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

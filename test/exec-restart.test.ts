// Exec instances over kill -9 of the engine: what GET /exec/{id}/json says afterwards is true.

import { readdir } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { DockerCli } from './support/docker.ts';
import { engineMissing, TestEngine } from './support/engine.ts';

const Exec = z.object({
  Running: z.boolean(),
  ExitCode: z.number().nullable(),
  Pid: z.number(),
  ContainerID: z.string(),
  ProcessConfig: z.object({ entrypoint: z.string(), arguments: z.array(z.string()) }),
});

describe.skipIf(engineMissing)(`exec and kill -9${engineMissing ? ` (${engineMissing})` : ''}`, () => {
  let engine: TestEngine;
  let docker: DockerCli;
  let container: string;

  beforeAll(async () => {
    engine = await TestEngine.start();
    await engine.control.createSandbox({ name: 'execs' });
    docker = await engine.docker('execs');
    await docker.ok('pull', 'busybox');
    container = await docker.ok('run', '-d', '--name', 'execs', 'busybox', 'sleep', '600');
  });
  afterAll(async () => {
    await engine.dispose();
  });

  function request(method: string, url: string, body?: unknown): Promise<{ status: number; body: unknown }> {
    return new Promise((resolve, reject) => {
      const headers = { 'Content-Type': 'application/json' };
      const req = http.request({ socketPath: docker.socket, method, path: url, headers }, (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: res.statusCode ?? 0, body: text === '' ? undefined : JSON.parse(text) });
        });
      });
      req.on('error', reject);
      req.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
  async function create(script: string): Promise<string> {
    const made = await request('POST', '/containers/execs/exec', { Cmd: ['sh', '-c', script] });
    return z.object({ Id: z.string() }).parse(made.body).Id;
  }
  async function started(script: string): Promise<string> {
    const id = await create(script);
    expect((await request('POST', `/exec/${id}/start`, { Detach: true })).status).toBe(200);
    return id;
  }
  const inspect = async (id: string) => Exec.parse((await request('GET', `/exec/${id}/json`)).body);
  async function crash(downFor: number): Promise<void> {
    await engine.end('SIGKILL');
    await sleep(downFor);
    await engine.up();
  }

  it('knows what was created, runs, has ended, and ended meanwhile', async () => {
    const created = await create('exit 4');
    const running = await started('sleep 600');
    const ended = await started('exit 5');
    const ending = await started('sleep 0.7; exit 6');
    await expect.poll(async () => (await inspect(ended)).Running).toBe(false);
    await crash(1200);
    expect(await inspect(created)).toMatchObject({ Running: false, ExitCode: null, ContainerID: container });
    expect(await inspect(running)).toMatchObject({
      Running: true,
      ExitCode: null,
      Pid: expect.any(Number),
      ProcessConfig: { entrypoint: 'sh', arguments: ['-c', 'sleep 600'] },
    });
    expect((await inspect(running)).Pid).toBeGreaterThan(0);
    expect(await inspect(ended)).toMatchObject({ Running: false, ExitCode: 5 });
    expect(await inspect(ending)).toMatchObject({ Running: false, ExitCode: 6 });
    expect((await request('POST', `/exec/${ended}/start`, { Detach: true })).status).toBe(409);
    expect((await request('POST', `/exec/${created}/start`, { Detach: true })).status).toBe(200);
    await expect.poll(async () => (await inspect(created)).ExitCode).toBe(4);
  });

  it('goes on to watch those that run', async () => {
    const id = await started('sleep 600');
    const { Pid } = await inspect(id);
    await engine.end('SIGKILL');
    await engine.up();
    await engine.control.run('execs', { argv: ['kill', '-9', String(Pid)] });
    await expect.poll(async () => (await inspect(id)).ExitCode).toBe(137);
  });

  it('leaves no records of removed containers', async () => {
    await docker.ok('rm', '-f', 'execs');
    await expect
      .poll(async () =>
        (await readdir(path.join(engine.dataDir, 'sandboxes'), { recursive: true })).filter((name) =>
          /\/execs\/.*\.json$/.test(name),
        ),
      )
      .toEqual([]);
  });
});

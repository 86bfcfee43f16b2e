// The daemon's logic over HTTP, with a stand-in for PID 1: states, crashes, conflicts. Real containers: test/docker-cli.test.ts.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { digestOf } from '../image/blobs.ts';
import type { Catalogue, CatalogueEntry } from '../image/catalogue.ts';
import { SharedStore } from '../image/shared-store.ts';
import { Registries } from '../registry/registries.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { createTenant, type Tenant } from './tenant.ts';
import { FakeInit } from './test/fake-init.ts';

const CONFIG: CatalogueEntry['config'] = {
  architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
  os: 'linux',
  config: { Cmd: ['sh'] },
  rootfs: { type: 'layers', diff_ids: [`sha256:${'3'.repeat(64)}`] },
};
const ID = digestOf(JSON.stringify(CONFIG));
const ENTRY: CatalogueEntry = {
  references: ['docker.io/library/busybox:latest'],
  id: ID,
  manifestDigest: `sha256:${'2'.repeat(64)}`,
  manifestSize: 1,
  config: CONFIG,
  rawConfig: JSON.stringify(CONFIG),
  layers: [
    {
      digest: `sha256:${'4'.repeat(64)}`,
      diffId: `sha256:${'3'.repeat(64)}`,
      size: 1,
      unpackedSize: 2,
      dirName: '3'.repeat(26),
    },
  ],
  size: 2,
  created: '2026-01-01T00:00:00Z',
  description: '',
};
const CATALOGUE: Catalogue = {
  list: () => [ENTRY],
  resolve: (reference) => (/busybox(:latest)?$/.test(reference) ? ENTRY : undefined),
  byId: (id) => (id === ID ? ENTRY : undefined),
  readLayer: () => Readable.from([]),
  reload: async () => {},
};

interface Answer {
  status: number;
  body: unknown;
}

let stateDir: string;
let init: FakeInit;
let tenant: Tenant;
let server: http.Server;

async function boot(): Promise<void> {
  const sandbox: Sandbox = {
    id: 'sandbox',
    name: 'test',
    hostname: 'test',
    limits: { memory: 2 ** 30, cpus: 1, pids: 512, disk: 2 ** 30 },
    uidBase: 100_000,
    cgroupVersion: 2,
    cgroupControllers: [],
    state: 'running',
    stateDir,
    dockerSocket: '',
    init,
  };
  tenant = await createTenant(sandbox, {
    catalogue: CATALOGUE,
    registries: new Registries({ hosts: [], mirrors: [], insecure: [], official: false }),
    shared: await SharedStore.open(
      stateDir,
      { launchBinary: '', initBinary: '', uidBase: 0 },
      pino({ level: 'silent' }),
    ),
    log: pino({ level: 'silent' }),
    seccompProfile: { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [] },
  });
  server = http.createServer((req, res) => tenant.handle(req, res));
  await new Promise<void>((resolve) => server.listen(path.join(stateDir, 'docker.sock'), resolve));
}

/** The engine goes without a word; the sandbox goes on. */
async function crash(): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await tenant.dispose();
}

function call(method: string, url: string, body?: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = http.request(
      {
        socketPath: path.join(stateDir, 'docker.sock'),
        method,
        path: url,
        headers: { 'Content-Type': 'application/json' },
      },
      (res) => {
        let text = '';
        res.on('data', (chunk) => {
          text += chunk;
        });
        res.on('end', () => {
          const isJson = text !== '' && !text.includes('\r\n');
          resolve({ status: res.statusCode ?? 0, body: isJson ? JSON.parse(text) : undefined });
        });
      },
    );
    req.on('error', reject);
    req.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function create(name: string, hostConfig: unknown = {}): Promise<string> {
  const { body, status } = await call('POST', `/v1.47/containers/create?name=${name}`, {
    Image: 'busybox',
    HostConfig: hostConfig,
  });
  expect(status).toBe(201);
  return z.object({ Id: z.string() }).parse(body).Id;
}

const Inspected = z.object({
  RestartCount: z.number(),
  State: z.looseObject({ Status: z.string(), ExitCode: z.number(), Error: z.string() }),
  NetworkSettings: z.looseObject({ IPAddress: z.string() }),
});
async function inspect(name: string) {
  return Inspected.parse((await call('GET', `/containers/${name}/json`)).body);
}
const status = async (name: string) => (await inspect(name)).State.Status;

beforeEach(async () => {
  stateDir = await mkdtemp(path.join(os.tmpdir(), 'berth-tenant-'));
  init = new FakeInit();
  await boot();
  expect((await call('POST', '/images/create?fromImage=busybox&tag=latest')).status).toBe(200);
});

afterEach(async () => {
  await crash();
  await rm(stateDir, { recursive: true, force: true });
});

describe('a container’s states', () => {
  it('goes from created to running to exited, and each is recorded before it is forgotten', async () => {
    const id = await create('web');
    expect(await status('web')).toBe('created');
    expect((await call('POST', '/containers/web/start')).status).toBe(204);
    expect(await status('web')).toBe('running');
    expect((await inspect('web')).NetworkSettings.IPAddress).toBe('172.17.0.2');
    expect((await call('POST', '/containers/web/start')).status).toBe(304);
    const waited = call('POST', '/containers/web/wait');
    init.exit(`container.${id}`, 3);
    expect(await waited).toEqual({ status: 200, body: { StatusCode: 3 } });
    expect((await inspect('web')).State).toMatchObject({ Status: 'exited', ExitCode: 3 });
    expect(init.forgotten).toContain(`container.${id}`);
    expect((await inspect('web')).NetworkSettings.IPAddress).toBe('');
  });

  it('starts with one request to PID 1', async () => {
    await create('one');
    const before = init.starts.length;
    await call('POST', '/containers/one/start');
    expect(init.starts.length - before).toBe(1);
  });

  it('stays created with the reason when its start fails, and gives back what it took', async () => {
    await create('bad');
    init.failNext = 'executable file `x` not found in $PATH';
    const answer = await call('POST', '/containers/bad/start');
    expect(answer.status).toBe(400);
    expect((await inspect('bad')).State).toMatchObject({ Status: 'created', ExitCode: 127 });
    await create('good');
    await call('POST', '/containers/good/start');
    expect((await inspect('good')).NetworkSettings.IPAddress).toBe('172.17.0.2');
  });

  it('refuses names that are taken and removal while it runs', async () => {
    const id = await create('web');
    const again = await call('POST', '/containers/create?name=web', { Image: 'busybox' });
    expect(again).toMatchObject({
      status: 409,
      body: { message: expect.stringContaining(`already in use by container "${id}"`) },
    });
    await call('POST', '/containers/web/start');
    expect((await call('DELETE', '/containers/web')).status).toBe(409);
    expect((await call('DELETE', '/containers/web?force=1')).status).toBe(204);
    expect((await call('GET', '/containers/web/json')).status).toBe(404);
    expect(await readdir(path.join(stateDir, 'containers'))).toEqual([]);
  });

  it('removes itself after its end when it was run with --rm', async () => {
    const id = await create('gone', { AutoRemove: true });
    await call('POST', '/containers/gone/start');
    const removed = call('POST', '/containers/gone/wait?condition=removed');
    await expect.poll(() => status('gone')).toBe('running');
    init.exit(`container.${id}`, 5);
    expect(await removed).toEqual({ status: 200, body: { StatusCode: 5 } });
    expect((await call('GET', '/containers/gone/json')).status).toBe(404);
  });

  it('restarts by policy, but not after docker stop', async () => {
    const id = await create('always', { RestartPolicy: { Name: 'always' } });
    await call('POST', '/containers/always/start');
    init.exit(`container.${id}`, 1);
    await expect.poll(async () => (await inspect('always')).RestartCount, { timeout: 3000 }).toBe(1);
    await expect.poll(() => status('always')).toBe('running');
    expect((await call('POST', '/containers/always/stop')).status).toBe(204);
    expect(await status('always')).toBe('exited');
  });
});

describe('after the engine was gone', () => {
  it('keeps what runs and reports what ended meanwhile with its exit code', async () => {
    const ended = await create('ended');
    await create('runs');
    for (const name of ['ended', 'runs']) await call('POST', `/containers/${name}/start`);
    await crash();
    init.exit(`container.${ended}`, 7, { unseen: true });
    await boot();
    expect(await status('runs')).toBe('running');
    expect((await inspect('ended')).State).toMatchObject({ Status: 'exited', ExitCode: 7 });
    await create('next');
    await call('POST', '/containers/next/start');
    expect((await inspect('next')).NetworkSettings.IPAddress).toBe('172.17.0.2');
    expect((await inspect('runs')).NetworkSettings.IPAddress).toBe('172.17.0.3');
  });

  it('reports 255 for what ended with the sandbox, and starts it again by policy', async () => {
    await create('lost');
    await create('back', { RestartPolicy: { Name: 'unless-stopped' } });
    for (const name of ['lost', 'back']) await call('POST', `/containers/${name}/start`);
    await crash();
    init = new FakeInit();
    await boot();
    expect((await inspect('lost')).State).toMatchObject({ Status: 'exited', ExitCode: 255 });
    await expect.poll(() => status('back'), { timeout: 3000 }).toBe('running');
  });

  it('keeps images and names', async () => {
    await create('kept');
    await crash();
    await boot();
    expect((await call('POST', '/containers/create?name=kept', { Image: 'busybox' })).status).toBe(409);
    expect((await call('GET', '/images/busybox/json')).status).toBe(200);
  });

  it('ends processes of containers that it has no record of', async () => {
    await crash();
    init.run(`container.${'f'.repeat(64)}`);
    await boot();
    expect(init.processes()).toEqual([]);
  });
});

describe('what Berth does not do', () => {
  it.each([[{ LogConfig: { Type: 'syslog' } }, 'log driver syslog']])(
    'refuses %j by name',
    async (HostConfig, message) => {
      const answer = await call('POST', '/containers/create', { Image: 'busybox', HostConfig });
      expect(answer).toMatchObject({ status: 501, body: { message: expect.stringContaining(message) } });
    },
  );

  it('answers in Docker’s words for swarm, unknown paths, versions and bodies', async () => {
    expect((await call('GET', '/swarm')).status).toBe(503);
    expect(await call('GET', '/nosuch')).toEqual({ status: 404, body: { message: 'page not found' } });
    expect((await call('GET', '/v1.99/info')).status).toBe(400);
    expect(await call('POST', '/containers/create')).toMatchObject({
      status: 400,
      body: { message: 'invalid JSON: got EOF while reading request body' },
    });
    expect(await call('POST', '/containers/create', { Image: 5 })).toMatchObject({ status: 400 });
    expect(await call('POST', '/containers/create', { Image: 'nosuch' })).toEqual({
      status: 404,
      body: { message: 'No such image: nosuch:latest' },
    });
  });
});

describe('docker rmi', () => {
  it('keeps an image that a container uses, unless forced', async () => {
    await create('user');
    expect(await call('DELETE', '/images/busybox')).toMatchObject({
      status: 409,
      body: {
        message: expect.stringContaining('unable to remove repository reference "busybox" (must force)'),
      },
    });
    await call('POST', '/images/busybox/tag?repo=mine&tag=1');
    expect(await call('DELETE', '/images/mine:1')).toEqual({ status: 200, body: [{ Untagged: 'mine:1' }] });
    await call('DELETE', '/containers/user');
    expect((await call('DELETE', '/images/busybox')).body).toEqual([
      { Untagged: 'busybox:latest' },
      { Untagged: `busybox@${ENTRY.manifestDigest}` },
      { Deleted: ID },
    ]);
    expect((await call('GET', '/images/json')).body).toEqual([]);
  });
});

// Every operation of the API: that there is a route for it, and that the README's table says of each what is true.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SharedStore } from '../image/shared-store.ts';
import { Registries } from '../registry/registries.ts';
import { createTenant, type Tenant } from './tenant.ts';
import { FakeInit } from './test/fake-init.ts';

const README = new URL('../../README.md', import.meta.url);
const OPERATIONS = new URL('./test/operations-1.47.txt', import.meta.url);
const STATES = ['works', 'partly', 'refused'];
/** An operation that streams, or asks elsewhere, has answered enough when it has not refused by then. */
const PATIENCE = 1000;

interface Row {
  tag: string;
  operation: string;
  state: string;
  note: string;
}

/** The rows `| METHOD /path | state | note |` below the headings `### Tag`. */
async function tableOfReadme(): Promise<Row[]> {
  const rows: Row[] = [];
  let tag = '';
  for (const line of (await readFile(README, 'utf8')).split('\n')) {
    tag = /^\| \*\*(\w+)\*\* \|/.exec(line)?.[1] ?? tag;
    const [, operation, state, note = ''] = /^\| `([A-Z]+ \/\S*)` \| (\w+) \| (.*?) ?\|$/.exec(line) ?? [];
    if (operation !== undefined && state !== undefined) rows.push({ tag, operation, state, note });
  }
  return rows;
}

async function described(): Promise<{ tag: string; operation: string }[]> {
  const lines = (await readFile(OPERATIONS, 'utf8')).trim().split('\n');
  return lines.map((line) => {
    const [tag = '', ...operation] = line.split(' ');
    return { tag, operation: operation.join(' ') };
  });
}

describe('the operations of the Docker Engine API', () => {
  let stateDir: string;
  let tenant: Tenant;
  let server: http.Server;
  beforeAll(async () => {
    stateDir = await mkdtemp(path.join(os.tmpdir(), 'berth-operations-'));
    const sandbox = {
      id: 'sandbox',
      name: 'test',
      hostname: 'test',
      limits: { memory: 2 ** 30, cpus: 1, pids: 512, disk: 2 ** 30 },
      uidBase: 100_000,
      cgroupVersion: 2 as const,
      cgroupControllers: [],
      state: 'running' as const,
      stateDir,
      dockerSocket: '',
      init: new FakeInit(),
    };
    tenant = await createTenant(sandbox, {
      catalogue: {
        list: () => [],
        resolve: () => undefined,
        byId: () => undefined,
        readLayer: () => Readable.from([]),
        reload: async () => {},
      },
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
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await tenant.dispose();
    await rm(stateDir, { recursive: true, force: true });
  });

  /** What an operation says to a request for something that is not there; undefined when it says nothing soon. */
  function answer(operation: string): Promise<{ status: number; text: string } | undefined> {
    const [method, template = ''] = operation.split(' ');
    const url = template.replace(/\{\w+\}/g, 'nosuch');
    return new Promise((resolve, reject) => {
      const req = http.request(
        {
          socketPath: path.join(stateDir, 'docker.sock'),
          method,
          path: `/v1.47${url}`,
          headers: { 'Content-Type': 'application/json' },
        },
        (res) => {
          let text = '';
          res.on('data', (chunk) => {
            text += chunk;
          });
          res.on('error', () => undefined);
          res.on('close', () => {
            clearTimeout(timer);
            resolve({ status: res.statusCode ?? 0, text });
          });
        },
      );
      const timer = setTimeout(() => {
        resolve(undefined);
        req.destroy();
      }, PATIENCE);
      req.on('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      req.end(method === 'GET' || method === 'HEAD' || method === 'DELETE' ? undefined : '{}');
    });
  }

  it('are all in the README’s table, once and under their tag', async () => {
    const rows = await tableOfReadme();
    const listed = rows.map(({ tag, operation }) => `${tag} ${operation}`).sort();
    expect(listed).toEqual((await described()).map(({ tag, operation }) => `${tag} ${operation}`).sort());
    for (const { operation, state, note } of rows) {
      expect(STATES, operation).toContain(state);
      if (state !== 'works') expect(note, `${operation} needs a word on why`).not.toBe('');
    }
  });

  it('are refused when the table says so, and only then', async () => {
    const wrong: string[] = [];
    for (const { operation, state } of await tableOfReadme()) {
      const said = await answer(operation).catch(() => undefined);
      const isThere = said?.status !== 404 || !said.text.includes('page not found');
      if (!isThere) wrong.push(`${operation} has no route`);
      const isRefused = said?.status === 501 || (said?.status === 503 && /swarm/.test(said.text));
      if (isRefused !== (state === 'refused'))
        wrong.push(`${operation} is said to be ${state}, and answers ${said?.status}`);
    }
    expect(wrong).toEqual([]);
  }, 60_000);
});

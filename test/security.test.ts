// What a student could do to the engine from the sandbox's own Docker socket, done for real.

import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineMissing, TestEngine } from './support/engine.ts';

const request = (target: string) => `GET ${target} HTTP/1.1\r\nHost: docker\r\n\r\n`;

describe.skipIf(engineMissing)(`the engine${engineMissing ? ` (${engineMissing})` : ''}`, () => {
  let engine: TestEngine;
  let mine: string;
  let neighbors: string;

  beforeAll(async () => {
    engine = await TestEngine.start();
    mine = (await engine.control.createSandbox({ name: 'me' })).dockerSocket;
    neighbors = (await engine.control.createSandbox({ name: 'you' })).dockerSocket;
  }, 30_000);
  afterAll(() => engine?.dispose(), 30_000);

  it('serves one request of a connection at a time, so that a flood of them costs it no memory', async () => {
    const before = await memoryOf(engine.pid);
    const flood = Buffer.from(request('/v1.47/info').repeat(4000));
    const sockets = Array.from({ length: 100 }, () => {
      const socket = net.connect(mine).on('error', () => undefined);
      socket.pause();
      socket.write(flood);
      return socket;
    });
    try {
      // how soon is not promised: Node parses what it has read of a connection before it is cut
      for (let round = 0; round < 10; round++) {
        expect(await exchange(neighbors, request('/_ping'))).toMatch(/^HTTP\/1.1 200/);
        await sleep(50);
      }
      expect((await memoryOf(engine.pid)) - before).toBeLessThan(200);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  }, 20_000);

  it('takes a second request on a connection whose first was answered', async () => {
    const socket = net.connect(mine);
    try {
      for (let round = 0; round < 3; round++) {
        socket.write(request('/v1.47/version'));
        const answer = await nextData(socket);
        expect(String(answer)).toMatch(/^HTTP\/1.1 200/);
      }
    } finally {
      socket.destroy();
    }
  });

  it('takes an address that is none for a mistake of the client', async () => {
    expect(await exchange(mine, request('http://a:b:c/'))).toMatch(/^HTTP\/1.1 400/);
  });
});

function nextData(socket: net.Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk));
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
}

/** The first bytes that are answered. */
async function exchange(path: string, bytes: string): Promise<string> {
  const socket = net.connect(path);
  try {
    socket.write(bytes);
    const answer = await nextData(socket);
    return String(answer);
  } finally {
    socket.destroy();
  }
}

/** Resident memory of a process, in MiB. */
async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

// Attaching by websocket, on Berth and, where BERTH_PEER names its socket, on a real dockerd.

import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { DockerCli } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const unique = (prefix: string) => `${prefix}-${randomBytes(4).toString('hex')}`;

/** What came by a websocket, and how it ended. */
class Attached {
  text = '';
  readonly socket: WebSocket;
  readonly isOpen: Promise<void>;
  readonly isClosed: Promise<void>;

  constructor(docker: DockerCli, name: string, query: string) {
    this.socket = new WebSocket(`ws+unix:${docker.socket}:/v1.45/containers/${name}/attach/ws?${query}`);
    this.isOpen = new Promise((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.once('error', reject);
      this.socket.once('unexpected-response', (_request, response) =>
        reject(new Error(`status ${response.statusCode}`)),
      );
    });
    this.isClosed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    this.socket.on('message', (data) => {
      this.text += String(data);
    });
  }
}

describe.skipIf(engineMissing).each(dockerTargets('websocket'))(
  `attaching by websocket on $title${engineMissing ? ` (${engineMissing})` : ''}`,
  (target) => {
    let docker: DockerCli;
    beforeAll(async () => {
      docker = await target.open();
    });
    afterAll(async () => {
      await target.close();
    });

    it('carries input and output, and ends with the container', async () => {
      const name = unique('ws');
      await docker.ok('run', '-di', '--name', name, 'busybox', 'sh');
      const attached = new Attached(docker, name, 'stream=1&stdin=1&stdout=1&stderr=1');
      await attached.isOpen;
      attached.socket.send('echo out$((40+2)); echo err$((40+3)) >&2\n');
      await expect.poll(() => attached.text, { timeout: 5000 }).toContain('out42\n');
      await expect.poll(() => attached.text, { timeout: 5000 }).toContain('err43\n');
      attached.socket.send(Buffer.from('exit 7\n'));
      await attached.isClosed;
      expect(await docker.ok('wait', name)).toBe('7');
      await docker.ok('rm', name);
    });

    it('begins with what was written before when logs are asked for', async () => {
      const name = unique('ws');
      await docker.ok('run', '-d', '--name', name, 'busybox', 'sh', '-c', 'echo before; sleep 2; echo after');
      await sleep(300);
      const attached = new Attached(docker, name, 'logs=1&stream=1&stdout=1&stderr=1');
      await attached.isClosed;
      expect(attached.text).toBe('before\nafter\n');
      await docker.ok('rm', name);
    });

    it('leaves a terminal by its detach keys', async () => {
      const name = unique('ws');
      await docker.ok('run', '-dit', '--name', name, 'busybox', 'sh');
      const attached = new Attached(docker, name, 'stream=1&stdin=1&stdout=1&detachKeys=ctrl-x,q');
      await attached.isOpen;
      attached.socket.send('echo at$((40+2))\n');
      await expect.poll(() => attached.text, { timeout: 5000 }).toContain('at42');
      attached.socket.send('\x18q');
      await attached.isClosed;
      expect(await docker.ok('inspect', '-f', '{{.State.Status}}', name)).toBe('running');
      await docker.ok('rm', '-f', name);
    });

    it('refuses a container that is not there', async () => {
      const attached = new Attached(docker, 'nosuch', 'stream=1');
      await expect(attached.isOpen).rejects.toThrow('status 404');
    });

    it.runIf(target.isBerth)('ends with a client that breaks the protocol, and serves others', async () => {
      const name = unique('ws');
      await docker.ok('run', '-di', '--name', name, 'busybox', 'cat');
      const url = `/v1.47/containers/${name}/attach/ws?stream=1&stdin=1&stdout=1`;
      const upgrade = [
        `GET ${url} HTTP/1.1`,
        'Host: docker',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        '\r\n',
      ].join('\r\n');
      const talk = (bytes: Buffer) =>
        new Promise<string>((resolve) => {
          const socket = connect(docker.socket);
          let said = '';
          socket.on('data', (chunk) => {
            said += chunk.toString('latin1');
          });
          socket.on('error', () => undefined);
          socket.once('close', () => resolve(said));
          socket.write(upgrade);
          socket.once('data', () => socket.write(bytes));
        });
      const unmasked = Buffer.from([0x81, 0x05, ...Buffer.from('hello')]);
      const endless = Buffer.concat([Buffer.from([0x82, 0xff]), Buffer.alloc(8, 0x7f), Buffer.alloc(4)]);
      for (const bytes of [Buffer.alloc(4096, 0xff), unmasked, endless]) {
        expect(await talk(bytes)).toMatch(/^HTTP\/1\.1 101 /);
      }
      const big = new Attached(docker, name, 'stream=1&stdin=1&stdout=1');
      await big.isOpen;
      big.socket.on('error', () => undefined);
      big.socket.send(Buffer.alloc(4 * 2 ** 20));
      await big.isClosed;
      const attached = new Attached(docker, name, 'stream=1&stdin=1&stdout=1');
      await attached.isOpen;
      attached.socket.send('still here\n');
      await expect.poll(() => attached.text, { timeout: 5000 }).toContain('still here\n');
      attached.socket.close();
      await attached.isClosed;
      await docker.ok('rm', '-f', name);
    });
  },
);

import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { InitClient } from '../sandbox/init-client.ts';
import { encodeFrame, Type } from '../sandbox/init-codec.ts';
import { FakeInit, reply } from '../sandbox/test/fake-init.ts';
import { readText } from './lab-files.ts';

it('reads no more than a MiB from a PID 1 that never stops sending, and hangs up', async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'berth-init-'));
  const fake = new FakeInit();
  const data = encodeFrame(Type.DATA, 0, Buffer.alloc(2 ** 16, 'x'));
  let hungUp: Promise<void> | undefined;
  fake.answers.set(Type.FILE, (frame, socket: Socket) => {
    hungUp = new Promise((resolve) => socket.once('close', () => resolve()));
    const flood = () => {
      while (!socket.destroyed && socket.write(data));
    };
    socket.write(reply(frame.id));
    socket.on('drain', flood);
    flood();
  });
  await fake.listen(path.join(directory, 's'));
  const client = new InitClient(path.join(directory, 's'));
  try {
    await client.connect();
    expect((await readText(client, '/etc/passwd'))?.length).toBe(2 ** 20);
    await hungUp;
  } finally {
    client.close();
    await fake.close();
    await rm(directory, { recursive: true, force: true });
  }
}, 10_000);

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BadGateway, Conflict, InvalidParameter, NotFound, Unavailable } from '../errors.ts';
import { InitClient } from './init-client.ts';
import { encodeFrame, Fields, Tag, Type } from './init-codec.ts';
import { type ProcessState, StartFailed } from './init-types.ts';
import { FakeInit, processEvent, reply } from './test/fake-init.ts';

let directory: string;
let socketPath: string;
let fake: FakeInit;
let client: InitClient;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'berth-init-'));
  socketPath = path.join(directory, 's');
  fake = new FakeInit();
  await fake.listen(socketPath);
  client = new InitClient(socketPath);
});
afterEach(async () => {
  client.close();
  await fake.close();
  await rm(directory, { recursive: true, force: true });
});

async function until(condition: () => boolean): Promise<void> {
  for (let round = 0; round < 400 && !condition(); round++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(condition()).toBe(true);
}

describe('the control connection', () => {
  it('learns at HELLO what runs and what has ended', async () => {
    fake.known = [processEvent('a', 1), processEvent('b', 2, 137)];
    await client.connect();
    expect(client.boot).toBe('boot-1');
    expect(client.process('a')).toMatchObject({ state: 'running', pid: 42 });
    expect(await client.waitExit('b')).toMatchObject({ state: 'ended', status: 137 });
  });

  it('is Unavailable when nobody listens', async () => {
    await expect(new InitClient(path.join(directory, 'none')).connect()).rejects.toBeInstanceOf(Unavailable);
  });

  it('comes back by itself, and tells the exits that it missed', async () => {
    fake.known = [processEvent('a', 1), processEvent('gone', 1)];
    await client.connect();
    const exits: ProcessState[] = [];
    client.onExit((process) => exits.push(process));
    const waiting = client.waitExit('a');
    const lost = client.waitExit('gone');
    lost.catch(() => undefined);
    fake.known = [processEvent('a', 2, 3)];
    fake.drop();
    await until(() => client.isConnected && exits.length > 0);
    expect(await waiting).toMatchObject({ key: 'a', status: 3 });
    expect(exits.map((process) => process.key)).toEqual(['a']);
    await expect(lost).rejects.toBeInstanceOf(NotFound);
  });

  it('lets requests wait for the connection that is being made again', async () => {
    await client.connect();
    fake.drop();
    await until(() => !client.isConnected);
    await expect(client.start([])).resolves.toEqual({ pid: 0 });
  });

  it('rejects what is under way when it breaks', async () => {
    await client.connect();
    fake.answers.set(Type.START, () => fake.drop());
    await expect(client.start([])).rejects.toBeInstanceOf(Unavailable);
  });

  it.each([
    ['a frame out of range', Buffer.from([255, 255, 255, 255, 0, 0, 0, 0, 0])],
    ['an unknown frame', encodeFrame(0x7f, 0, new Uint8Array())],
    ['a process without a key', encodeFrame(Type.PROCESS, 0, new Uint8Array())],
    ['a cut field', encodeFrame(Type.EXIT, 0, Buffer.from([2, 9, 0, 0, 0]))],
  ])('is closed at %s', async (_what, bytes) => {
    await client.connect();
    let isDown = false;
    client.onDown(() => {
      isDown = true;
    });
    fake.control?.write(bytes);
    await until(() => isDown);
  });

  it('ends when more processes are told than there can be', async () => {
    await client.connect();
    let isDown = false;
    client.onDown(() => {
      isDown = true;
    });
    for (let index = 0; index < 9000; index++) fake.control?.write(processEvent(`p${index}`, 1));
    await until(() => isDown);
    expect(client.processes().length).toBeLessThanOrEqual(8192);
  });
});

describe('START', () => {
  it('carries steps and process, and makes the process known', async () => {
    await client.connect();
    fake.answers.set(Type.START, (frame, socket) => socket.write(reply(frame.id, (w) => w.u32(Tag.PID, 99))));
    const steps = [
      { kind: 'mkdir', path: '/a' } as const,
      { kind: 'exec', argv: ['true'], stdin: 'x', timeout: 5 } as const,
    ];
    expect(
      await client.start(steps, { key: 'run.1', argv: ['sh'], terminal: true, rows: 5, cols: 6 }),
    ).toEqual({ pid: 99 });
    const sent = fake.received.find((frame) => frame.type === Type.START);
    const fields = new Fields(sent?.body ?? Buffer.alloc(0));
    expect([fields.string(Tag.KEY), fields.u32(Tag.FLAGS), fields.u32(Tag.ROWS)]).toEqual(['run.1', 1, 5]);
    expect(client.process('run.1')).toMatchObject({ state: 'running', pid: 99 });
  });

  it('keeps the exit that came before its reply', async () => {
    await client.connect();
    fake.answers.set(Type.START, (frame, socket) => {
      socket.write(processEvent('p', 2, 1, Type.EXIT));
      socket.write(reply(frame.id, (w) => w.u32(Tag.PID, 99)));
    });
    await client.start([], { key: 'p', argv: ['false'] });
    expect(await client.waitExit('p')).toMatchObject({ status: 1 });
  });

  it('says which step failed, and what it said', async () => {
    await client.connect();
    fake.answers.set(Type.START, (frame, socket) =>
      socket.write(
        reply(frame.id, (w) => w.u32(Tag.STEP_INDEX, 2).u32(Tag.EXIT, 125).string(Tag.TEXT, 'no'), 5),
      ),
    );
    const failure = await client.start([]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StartFailed);
    expect(failure).toMatchObject({ step: 2, exitCode: 125, errno: 5, text: 'no' });
  });

  it.each([
    [3, NotFound],
    [17, Conflict],
    [22, InvalidParameter],
    [11, Unavailable],
    [111, BadGateway],
  ])("errno %i of a request is told in the API's terms", async (errno, type) => {
    await client.connect();
    fake.answers.set(Type.SIGNAL, (frame, socket) => socket.write(reply(frame.id, undefined, errno)));
    await expect(client.signal('p', 9)).rejects.toBeInstanceOf(type);
  });
});

describe('waitExit', () => {
  it('can be given up, and is refused for what is not known', async () => {
    fake.known = [processEvent('a', 1)];
    await client.connect();
    const controller = new AbortController();
    const waiting = client.waitExit('a', controller.signal);
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(client.waitExit('none')).rejects.toBeInstanceOf(NotFound);
  });

  it('ends with NotFound when the process is forgotten', async () => {
    fake.known = [processEvent('a', 1)];
    await client.connect();
    const waiting = client.waitExit('a');
    waiting.catch(() => undefined);
    await client.forget('a');
    await expect(waiting).rejects.toBeInstanceOf(NotFound);
    expect(client.process('a')).toBeUndefined();
  });
});

describe('attach', () => {
  const answerOutput = (...frames: Buffer[]) =>
    fake.answers.set(Type.ATTACH, (frame, socket) => {
      const flags = new Fields(frame.body).u32(Tag.FLAGS) ?? 0;
      socket.write(reply(frame.id));
      if (flags & 1) return;
      for (const bytes of frames) socket.write(bytes);
      socket.end();
    });

  it('tells the streams apart and ends at END', async () => {
    answerOutput(
      encodeFrame(Type.STDOUT, 0, Buffer.from('out')),
      encodeFrame(Type.STDERR, 0, Buffer.from('err')),
      encodeFrame(Type.END, 0, new Uint8Array()),
    );
    const attachment = await client.attach('p', { stdout: true, stderr: true });
    const seen: string[] = [];
    for await (const { stream, data } of attachment.output) seen.push(`${stream}:${data}`);
    expect(seen).toEqual(['stdout:out', 'stderr:err']);
  });

  it('is an error when the connection ends without END', async () => {
    answerOutput(encodeFrame(Type.STDOUT, 0, Buffer.from('out')));
    const attachment = await client.attach('p', { stdout: true });
    await expect(async () => {
      for await (const _ of attachment.output);
    }).rejects.toBeInstanceOf(Unavailable);
  });

  it('is closed by its owner quietly', async () => {
    fake.answers.set(Type.ATTACH, (frame, socket) => socket.write(reply(frame.id)));
    const attachment = await client.attach('p', { stdout: true });
    setTimeout(() => attachment.close(), 10);
    for await (const _ of attachment.output) throw new Error('nothing was sent');
  });

  it('cuts input into frames and ends it once', async () => {
    answerOutput();
    const attachment = await client.attach('p', { stdin: true, stdout: true });
    attachment.stdin.write(Buffer.alloc(150_000, 'a'));
    attachment.stdin.end();
    attachment.stdin.end();
    await until(() => fake.received.filter((frame) => frame.type === Type.STDIN).length === 4);
    const sizes = fake.received
      .filter((frame) => frame.type === Type.STDIN)
      .map((frame) => frame.body.length);
    expect(sizes).toEqual([65536, 65536, 18928, 0]);
  });

  it('does not read on for a reader that does not', async () => {
    let sent = 0;
    const chunk = encodeFrame(Type.STDOUT, 0, Buffer.alloc(60_000));
    fake.answers.set(Type.ATTACH, (frame, socket) => {
      socket.write(reply(frame.id));
      const pump = () => {
        while (!socket.destroyed) {
          sent += chunk.length;
          if (!socket.write(chunk)) {
            socket.once('drain', pump);
            return;
          }
        }
      };
      pump();
    });
    const attachment = await client.attach('p', { stdout: true });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(sent).toBeLessThan(4 * 2 ** 20);
    attachment.close();
  });
});

describe('files and ports', () => {
  it('streams a file with what stat says', async () => {
    fake.answers.set(Type.FILE, (frame, socket) => {
      socket.write(reply(frame.id, (w) => w.u64(Tag.SIZE, 6).u32(Tag.MODE, 0o100644).u64(Tag.MTIME, 5n)));
      socket.write(encodeFrame(Type.DATA, 0, Buffer.from('abc')));
      socket.write(encodeFrame(Type.DATA, 0, Buffer.from('def')));
      socket.end(encodeFrame(Type.END, 0, new Uint8Array()));
    });
    const file = await client.readFile('/x');
    expect([file.size, file.mode, file.mtime]).toEqual([6, 0o100644, 5n]);
    let text = '';
    for await (const chunk of file.body) text += String(chunk);
    expect(text).toBe('abcdef');
  });

  it('takes no more of a file than was asked for from a PID 1 that never stops sending, and hangs up', async () => {
    const data = encodeFrame(Type.DATA, 0, Buffer.alloc(2 ** 16, 'x'));
    const hungUp = new Promise<void>((resolve) => {
      fake.answers.set(Type.FILE, (frame, socket) => {
        socket.once('close', () => resolve());
        const flood = () => {
          while (!socket.destroyed && socket.write(data));
        };
        socket.write(reply(frame.id));
        socket.on('drain', flood);
        flood();
      });
    });
    const { body } = await client.readFile('/etc/passwd', { limit: 2 ** 20 });
    let size = 0;
    await expect(async () => {
      for await (const chunk of body) size += chunk.length;
    }).rejects.toBeInstanceOf(InvalidParameter);
    await hungUp;
    expect(size).toBeLessThanOrEqual(2 ** 20);
  });

  it('hands over the raw connection with what came right after the reply', async () => {
    fake.answers.set(Type.DIAL, (frame, socket) => {
      socket.write(Buffer.concat([reply(frame.id), Buffer.from('HTTP/1.1')]));
      socket.removeAllListeners('data');
      socket.on('data', (chunk) => socket.end(`<${chunk}>`));
    });
    const socket = await client.dial('127.0.0.1', 80);
    socket.write('ping');
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    expect(text).toBe('HTTP/1.1<ping>');
  });

  it('says that a port is refused', async () => {
    fake.answers.set(Type.DIAL, (frame, socket) =>
      socket.end(reply(frame.id, (w) => w.string(Tag.TEXT, 'Connection refused'), 111)),
    );
    await expect(client.dial('127.0.0.1', 81)).rejects.toThrow('dial 127.0.0.1 port 81: Connection refused');
    await expect(client.dial('127.0.0.1', 0)).rejects.toBeInstanceOf(InvalidParameter);
  });
});

import http2 from 'node:http2';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { int, message, text } from '../proto/message.ts';
import { GrpcClient } from './client.ts';
import { frameMessage, GRPC_LIMITS, MessageSplitter } from './framing.ts';
import { type Methods, serveGrpc, streaming, unary } from './server.ts';
import { Code, GrpcError } from './status.ts';

const Question = message({ words: text(1), count: int(2) });
const Answer = message({ words: text(1) });
const faults: unknown[] = [];
const closing: (() => void)[] = [];
let running = 0;

const METHODS: Methods = new Map([
  ['/test.Test/Echo', unary(Question, Answer, async ({ words }) => ({ words }))],
  [
    '/test.Test/Fail',
    unary(Question, Answer, async () => {
      throw new GrpcError(Code.NOT_FOUND, 'no such thing: 100% “gone”\n', [
        { type_url: 'x', value: Buffer.from('y') },
      ]);
    }),
  ],
  [
    '/test.Test/Count',
    streaming(Question, Answer, async function* ({ words, count }) {
      for (let i = 0; i < count; i++) yield { words };
    }),
  ],
  [
    '/test.Test/Hang',
    unary(Question, Answer, async (_, { signal }) => {
      running++;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      running--;
      return {};
    }),
  ],
]);

/** two ends of a connection, the far one served */
async function connection(methods: Methods = METHODS): Promise<net.Socket> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    serveGrpc(socket, methods, (error) => faults.push(error)).catch((error) => faults.push(error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const socket = net.connect(address.port, '127.0.0.1');
  socket.on('error', () => undefined);
  closing.push(() => {
    socket.destroy();
    server.close();
  });
  return socket;
}

async function client(): Promise<GrpcClient> {
  return new GrpcClient(await connection());
}

afterEach(() => {
  for (const close of closing.splice(0)) close();
  expect(faults.splice(0)).toEqual([]);
});

describe('gRPC over a connection that is there', () => {
  it('asks and answers, many calls at a time', async () => {
    const grpc = await client();
    const words = Array.from({ length: 50 }, (_, i) => `${i}`.repeat(1000 * i));
    const answers = await Promise.all(
      words.map((each) => grpc.ask('/test.Test/Echo', Question, Answer, { words: each })),
    );
    expect(answers.map((answer) => answer.words)).toEqual(words);
  });

  it('streams more than any window, at the reader’s pace', async () => {
    const grpc = await client();
    const stream = grpc.open('/test.Test/Count', {}, new AbortController().signal);
    await stream.send(Question.encode({ words: 'x'.repeat(50_000), count: 1000 }));
    stream.closeSend();
    let count = 0;
    for await (const bytes of stream.messages) {
      if (count++ === 0) await sleep(50);
      expect(Answer.decode(bytes).words.length).toBe(50_000);
    }
    expect(count).toBe(1000);
  });

  it('carries errors with their code, words and details', async () => {
    const grpc = await client();
    await expect(grpc.ask('/test.Test/Fail', Question, Answer, {})).rejects.toMatchObject({
      code: Code.NOT_FOUND,
      message: 'no such thing: 100% “gone”\n',
    });
    await expect(grpc.ask('/test.Test/None', Question, Answer, {})).rejects.toMatchObject({
      code: Code.UNIMPLEMENTED,
      message: 'unknown method None for service test.Test',
    });
    await expect(grpc.ask('/other.Test/None', Question, Answer, {})).rejects.toMatchObject({
      message: 'unknown service other.Test',
    });
  });

  it('tells the handler when the call is cancelled, times out, or its connection is gone', async () => {
    const grpc = await client();
    const cancelled = new AbortController();
    const call = grpc.ask('/test.Test/Hang', Question, Answer, {}, { signal: cancelled.signal });
    const short = grpc.ask('/test.Test/Hang', Question, Answer, {}, { metadata: { 'grpc-timeout': '30m' } });
    const last = grpc.ask('/test.Test/Hang', Question, Answer, {});
    last.catch(() => undefined);
    await expect(short).rejects.toMatchObject({ code: Code.DEADLINE_EXCEEDED });
    expect(running).toBe(2);
    cancelled.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    await sleep(20);
    expect(running).toBe(1);
    grpc.close();
    await expect(last).rejects.toThrow();
    await sleep(20);
    expect(running).toBe(0);
    expect(() => grpc.open('/test.Test/Hang', {}, new AbortController().signal)).toThrow('gone');
  });
});

describe('gRPC’s hostile peers', () => {
  async function raw(path: string, headers: Record<string, string>, body: Buffer) {
    const socket = await connection();
    const session = http2.connect('http://localhost', { createConnection: () => socket });
    session.on('error', () => undefined);
    closing.push(() => session.destroy());
    const stream = session.request({ ':method': 'POST', ':path': path, ...headers });
    const found: Record<string, unknown> = {};
    stream.on('response', (each) => Object.assign(found, each));
    stream.on('trailers', (each) => Object.assign(found, each));
    stream.on('error', () => undefined);
    stream.resume();
    stream.end(body);
    await new Promise((resolve) => stream.once('close', resolve));
    return found;
  }
  const grpc = { 'content-type': 'application/grpc' };
  const huge = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);

  it.each([
    ['no gRPC at all', '/test.Test/Echo', {}, frameMessage(Buffer.alloc(0)), Code.INTERNAL],
    ['a compressed message', '/test.Test/Echo', grpc, Buffer.from([1, 0, 0, 0, 0]), Code.UNIMPLEMENTED],
    ['a message of 4 GiB', '/test.Test/Echo', grpc, huge, Code.RESOURCE_EXHAUSTED],
    ['half a message', '/test.Test/Echo', grpc, Buffer.from([0, 0, 0, 0, 9, 1]), Code.INTERNAL],
    ['nothing', '/test.Test/Echo', grpc, Buffer.alloc(0), Code.INTERNAL],
    ['bytes that are no message', '/test.Test/Echo', grpc, frameMessage(Buffer.from([0x0a, 0xff])), 13],
  ])('are answered: %s', async (_, path, headers, body, code) => {
    expect((await raw(path, headers, body))['grpc-status']).toBe(String(code));
  });

  it('may not open more calls than there can be', async () => {
    const socket = await connection();
    const session = http2.connect('http://localhost', { createConnection: () => socket });
    session.on('error', () => undefined);
    closing.push(() => session.destroy());
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    expect(session.remoteSettings.maxConcurrentStreams).toBe(GRPC_LIMITS.streams);
  });

  it('lose their connection when they do not speak HTTP/2', async () => {
    const socket = await connection();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
  });

  it('are told when what they answer is too large or no gRPC', async () => {
    const server = http2.createServer();
    server.on('stream', (stream) => {
      stream.respond({ ':status': 200 });
      stream.write(huge);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const asking = new GrpcClient(net.connect(address.port, '127.0.0.1'));
    closing.push(() => {
      asking.close();
      server.close();
    });
    await expect(asking.ask('/test.Test/Echo', Question, Answer, {})).rejects.toMatchObject({
      code: Code.RESOURCE_EXHAUSTED,
    });
  });
});

describe('cutting messages apart', () => {
  it('does not depend on how the bytes come', () => {
    const messages = [Buffer.alloc(0), Buffer.from('a'), Buffer.alloc(3000, 'b'), Buffer.from('last')];
    const bytes = Buffer.concat(messages.map(frameMessage));
    for (const size of [1, 2, 3, 4, 5, 6, 7, 100, 5000]) {
      const splitter = new MessageSplitter();
      const found: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size)
        found.push(...splitter.push(bytes.subarray(at, at + size)));
      expect(found).toEqual(messages);
      expect(splitter.pending).toBe(0);
    }
  });
});

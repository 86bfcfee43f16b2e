// berth-init's network hand-overs: dialling, network namespaces, DNS inside them. Namespaces need root.

import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fields, parse, step, T } from './test/codec.ts';
import { E, Init, type Peer, until, wait } from './test/harness.ts';

let init: Init;
let control: Peer;

beforeAll(async () => {
  init = await Init.start();
  control = await init.control();
});

afterAll(async () => {
  expect(await init.stop()).toBe(0);
});

/** A server on a free port of the address; closed by the returned function. */
async function serve(
  address: string,
  onConnection: (socket: net.Socket) => void,
): Promise<{ port: number; close: () => void }> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const where = server.address();
  return { port: where && typeof where === 'object' ? where.port : 0, close: () => server.close() };
}

/** A dialled connection, as raw bytes after its REPLY. */
async function dial(addr: string, port: number, netns?: string): Promise<net.Socket> {
  const socket = net.connect({ path: init.file('s'), allowHalfOpen: true });
  socket.on('error', () => undefined);
  socket.write(Buffer.concat([frameOf(addr, port, netns)]));
  const reply = await new Promise<Buffer>((resolve) => {
    const onReadable = () => {
      const head: unknown = socket.read(4);
      if (!(head instanceof Buffer)) return;
      socket.off('readable', onReadable);
      const body: unknown = socket.read(head.readUInt32LE());
      resolve(body instanceof Buffer ? body : Buffer.alloc(5));
    };
    socket.on('readable', onReadable);
  });
  const errno = parse(reply.subarray(5)).numbers.errno;
  if (errno) throw Object.assign(new Error(`errno ${errno}`), { errno });
  return socket;
}

function frameOf(addr: string, port: number, netns?: string): Buffer {
  const body = fields(netns ? { addr, port, netns } : { addr, port });
  const head = Buffer.alloc(9);
  head.writeUInt32LE(5 + body.length, 0);
  head[4] = T.DIAL;
  head.writeUInt32LE(1, 5);
  return Buffer.concat([head, body]);
}

async function readAll(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('dialling', () => {
  it.each(['127.0.0.1', '::1'])('passes megabytes both ways, and half-closes, over %s', async (address) => {
    const server = await serve(address, (socket) => {
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.on('end', () => socket.end(Buffer.concat(chunks))); // answers only after the other side's end
    });
    const socket = await dial(address, server.port);
    const sent = randomBytes(5_000_000);
    socket.end(sent);
    expect((await readAll(socket)).equals(sent)).toBe(true);
    server.close();
  });

  it('passes on the end that the server makes first', async () => {
    let received = '';
    const server = await serve('127.0.0.1', (socket) => {
      socket.end('bye');
      socket.on('data', (chunk: Buffer) => {
        received += chunk.toString();
      });
    });
    const socket = await dial('127.0.0.1', server.port);
    let heard = '';
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
    });
    await new Promise((resolve) => socket.once('end', resolve));
    expect(heard).toBe('bye');
    socket.end('still here');
    await until(() => received === 'still here', 'the server hears the rest');
    server.close();
  });

  it('delivers what was sent before the engine closed', async () => {
    let received = 0;
    const server = await serve('127.0.0.1', (socket) => {
      socket.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
    });
    const socket = await dial('127.0.0.1', server.port);
    socket.write(Buffer.alloc(100_000), () => socket.destroy());
    await until(() => received === 100_000, 'all arrived');
    server.close();
  });

  it('delivers that to a slow server too', async () => {
    let received = 0;
    const server = await serve('127.0.0.1', (socket) => {
      socket.pause();
      setTimeout(() => socket.resume(), 300);
      socket.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
    });
    const socket = await dial('127.0.0.1', server.port);
    const before = init.descriptors();
    socket.write(Buffer.alloc(20_000_000), () => socket.destroy());
    await until(() => received === 20_000_000, 'all arrived');
    await until(() => init.descriptors() < before, 'it is closed then');
    server.close();
  });

  it('holds back a sender whose receiver does not read', async () => {
    const server = await serve('127.0.0.1', (socket) => socket.pause());
    const before = init.memory();
    const socket = await dial('127.0.0.1', server.port);
    for (let i = 0; i < 512; i++) socket.write(Buffer.alloc(65536));
    await wait(300);
    expect(socket.writableLength).toBeGreaterThan(16 << 20);
    expect(init.memory() - before).toBeLessThan(8192);
    socket.destroy();
    server.close();
  });

  it('says why it could not', async () => {
    const peer = await init.connect();
    expect(await peer.errno(T.DIAL, { addr: 'localhost', port: 80 })).toBe(E.EINVAL);
    expect(await peer.errno(T.DIAL, { addr: '127.0.0.1', port: 0 })).toBe(E.EINVAL);
    expect(await peer.errno(T.DIAL, { addr: '127.0.0.1', port: 80, netns: '/nowhere' })).toBe(E.ENOENT);
    await expect(dial('127.0.0.1', 1)).rejects.toMatchObject({ errno: E.ECONNREFUSED });
  });

  it('leaves no descriptor behind', async () => {
    const before = init.descriptors();
    const server = await serve('127.0.0.1', (socket) => socket.end());
    for (let i = 0; i < 50; i++) (await dial('127.0.0.1', server.port)).destroy();
    await until(() => init.descriptors() <= before, 'all are closed');
    server.close();
  });
});

describe.runIf(process.getuid?.() === 0)('a network namespace', () => {
  let netns: string;

  beforeAll(async () => {
    netns = init.file('netns');
    expect(await control.errno(T.START, { step: step('netns', { path: netns }) })).toBe(0);
  });

  afterAll(async () => {
    const gone = step('netnsRemove', { path: netns });
    expect(await control.errno(T.START, { step: [gone, gone] })).toBe(0);
    expect(existsSync(netns)).toBe(false);
  });

  const inside = (command: string, ...args: string[]) =>
    new Promise<string>((resolve) => {
      execFile('nsenter', [`--net=${netns}`, command, ...args], { timeout: 20_000 }, (_, stdout) =>
        resolve(stdout),
      );
    });

  it('has a loopback that is up, and is not ours', async () => {
    const links = await inside('ip', '-o', 'link');
    expect(links).toMatch(/: lo: <LOOPBACK,UP/);
    expect(links.trim().split('\n')).toHaveLength(1);
  });

  it('is where an exec step with its path runs', async () => {
    const arg = ['ip', 'addr', 'add', '10.9.8.7/32', 'dev', 'lo'];
    expect(await control.errno(T.START, { step: step('exec', { arg, netns }) })).toBe(0);
    expect(await inside('ip', 'addr')).toContain('10.9.8.7');
    expect(execFileSync('ip', ['addr']).toString()).not.toContain('10.9.8.7');
  });

  it('is made anew where an old one of a crash is left', async () => {
    const path = init.file('again');
    const make = step('netns', { path });
    expect(await control.errno(T.START, { step: [make, make, step('netnsRemove', { path })] })).toBe(0);
  });

  it('is dialled into, and left again', async () => {
    const listener = execFile('nsenter', [
      `--net=${netns}`,
      'python3',
      '-c',
      'import socket\ns=socket.create_server(("10.9.8.7",8080))\nc,_=s.accept()\nc.sendall(b"from inside")',
    ]);
    let text = '';
    await until(async () => {
      try {
        text = (await readAll(await dial('10.9.8.7', 8080, netns))).toString();
      } catch {
        return false;
      }
      return true;
    }, 'the listener listens');
    expect(text).toBe('from inside');
    listener.kill();
    await expect(dial('127.0.0.1', 9, '/proc/self/ns/uts')).rejects.toMatchObject({ errno: E.EINVAL });
    const server = await serve('127.0.0.1', (socket) => socket.end('ours'));
    expect((await readAll(await dial('127.0.0.1', server.port))).toString()).toBe('ours');
    server.close();
  });

  describe('DNS in it', () => {
    /** Answers every question with the question itself, marked as a response. */
    const answer = async () => {
      const query = parse((await control.next((f) => f.type === T.DNS_QUERY)).body);
      const bytes = Buffer.from(query.bytes.bytes ?? []);
      bytes[2] = (bytes[2] ?? 0) | 0x80;
      control.write(T.DNS_ANSWER, fields({ query: query.numbers.query ?? 0, bytes }));
      return query;
    };

    const ask = (kind: 'udp' | 'tcp', size = 30) =>
      inside(
        'python3',
        '-c',
        `
import socket, struct
q = b'\\x12\\x34\\x01\\x00' + b'q' * (${size} - 4)
if '${kind}' == 'udp':
  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)
  s.connect(('127.0.0.11', 53)); s.send(q); a = s.recv(70000)
else:
  s = socket.create_connection(('127.0.0.11', 53)); s.settimeout(5)
  s.sendall(struct.pack('>H', len(q)) + q)
  f = s.makefile('rb'); a = f.read(struct.unpack('>H', f.read(2))[0])
print(a[:2].hex(), a[2] >> 7, len(a))`,
      );

    it('hands questions over by UDP and TCP, and the answers back', async () => {
      expect(await control.errno(T.DNS_LISTEN, { netns })).toBe(0);
      expect(await control.errno(T.DNS_LISTEN, { netns })).toBe(0); // an engine that was restarted asks again
      const results = Promise.all([ask('udp'), ask('tcp'), ask('tcp', 3000)]);
      for (let i = 0; i < 3; i++) expect((await answer()).texts.netns).toBe(netns);
      expect(await results).toEqual(['1234 1 30\n', '1234 1 30\n', '1234 1 3000\n']);
    });

    it('survives answers that nobody asked for, and questions that nobody answers', async () => {
      control.write(T.DNS_ANSWER, fields({ query: 424242, bytes: Buffer.alloc(20) }));
      await inside(
        'python3',
        '-c',
        `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(2000): s.sendto(b'x' * 40, ('127.0.0.11', 53))
c = [socket.create_connection(('127.0.0.11', 53)) for i in range(8)]
for k in c: k.sendall(b'\\xff\\xff' + b'y' * 5000)`,
      );
      await wait(200);
      expect(control.frames.filter((f) => f.type === T.DNS_QUERY).length).toBeLessThanOrEqual(128);
      expect(await control.errno(T.START, {})).toBe(0);
    });

    it('ends with DNS_CLOSE', async () => {
      expect(await control.errno(T.DNS_CLOSE, { netns })).toBe(0);
      expect(await control.errno(T.DNS_CLOSE, { netns })).toBe(E.ENOENT);
      expect(await inside('ss', '-Hlntu')).not.toContain('127.0.0.11');
    });
  });
});

// Clients that send what they should not, as the engine's session asks them for files.

import http2 from 'node:http2';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { StoredEntry } from '../contexts/files.ts';
import { CONTEXT_LIMITS, comparePaths } from '../contexts/limits.ts';
import { GrpcClient } from '../grpc/client.ts';
import { frameMessage, MessageSplitter } from '../grpc/framing.ts';
import { GO_MODE, Packet, PacketType } from './messages.ts';
import { encodeMetadata, type RemoteEntry, RemoteFiles } from './remote-files.ts';
import { SessionRegistry } from './sessions.ts';
import { compare, resolveLinks } from './sync.ts';

type Send = (packet: Parameters<typeof Packet.encode>[0]) => void;
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A client whose FileSync answers as a test says; `asked` are the requests that it got. */
async function peer(
  begin: (send: Send) => void,
  onRequest?: (id: number, send: Send) => void,
): Promise<RemoteFiles> {
  const server = http2.createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    const send: Send = (packet) =>
      void (stream.destroyed || stream.write(frameMessage(Packet.encode(packet))));
    const splitter = new MessageSplitter();
    stream.on('data', (chunk: Buffer) => {
      for (const bytes of splitter.push(chunk)) {
        const packet = Packet.decode(bytes);
        if (packet.type === PacketType.REQ) onRequest?.(packet.id, send);
        if (packet.type === PacketType.FIN) {
          send({ type: PacketType.FIN });
          stream.end();
        }
      }
    });
    begin(send);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const client = new GrpcClient(net.connect(address.port, '127.0.0.1'));
  closing.push(() => {
    client.close();
    server.close();
  });
  const selection = { name: 'context', followPaths: [], excludePatterns: [] };
  return RemoteFiles.open(client, selection, new AbortController().signal);
}

const STAT = { path: 'a', mode: 0o644, uid: 0, gid: 0, size: 0, modTime: 0n, linkname: '' };
type StatOf = Partial<typeof STAT>;

/** lists these entries */
function listing(...stats: StatOf[]): (send: Send) => void {
  return (send) => {
    for (const stat of stats) send({ type: PacketType.STAT, stat: { ...STAT, ...stat } });
    send({ type: PacketType.STAT });
  };
}

describe('a build context from a hostile client', () => {
  const directory = GO_MODE.directory + 0o755;
  it.each<[string, StatOf[], RegExp]>([
    ['a path that leads out', [{ path: '../x' }], /invalid path/],
    ['an absolute path', [{ path: '/etc/passwd' }], /invalid path/],
    ['a path with a dot', [{ path: './a' }], /invalid path/],
    ['a path with a NUL', [{ path: 'a\0b' }], /invalid path/],
    ['no path', [{ path: '' }], /invalid path/],
    ['a component that is too long', [{ path: 'x'.repeat(256) }], /too long/],
    ['a path below a file', [{ path: 'a' }, { path: 'a/b' }], /not below a directory/],
    [
      'a path below a link',
      [{ path: 'l', mode: GO_MODE.symlink, linkname: '/etc' }, { path: 'l/b' }],
      /not below/,
    ],
    ['a path below nothing', [{ path: 'a/b' }], /not below a directory/],
    ['the same path twice', [{ path: 'a' }, { path: 'a' }], /duplicate/],
    ['a hard link to what is not there', [{ path: 'h', linkname: 'z' }], /invalid hard link/],
    ['a hard link out', [{ path: 'h', linkname: '../../etc/passwd' }], /invalid path/],
    [
      'a hard link to a directory',
      [
        { path: 'd', mode: directory },
        { path: 'h', linkname: 'd' },
      ],
      /invalid hard link/,
    ],
    ['a symbolic link to nothing', [{ path: 'l', mode: GO_MODE.symlink }], /not valid/],
    ['an owner that no sandbox has', [{ path: 'a', uid: 100_000 }], /belongs to 100000/],
    ['a negative size', [{ path: 'a', size: -1 }], /size of a/],
    ['more bytes than there may be', [{ path: 'a', size: CONTEXT_LIMITS.size + 1 }], /larger than/],
  ])('is refused: %s', async (_, stats, words) => {
    const files = await peer(listing(...stats));
    await expect(files.list()).rejects.toThrow(words);
  });

  it('may not have more entries than there may be', async () => {
    const files = await peer((send) => {
      for (let i = 0; i <= CONTEXT_LIMITS.entries; i++)
        send({ type: PacketType.STAT, stat: { ...STAT, path: `${i}` } });
    });
    await expect(files.list()).rejects.toThrow(`more than ${CONTEXT_LIMITS.entries} files`);
  }, 60_000);

  it('leaves out sockets and devices, and keeps modes', async () => {
    const files = await peer(
      listing(
        { path: 'd', mode: directory + GO_MODE.sticky },
        { path: 'dev', mode: GO_MODE.device },
        { path: 's', mode: GO_MODE.socket },
        { path: 't', mode: GO_MODE.setuid + 0o755 },
      ),
    );
    const found = await files.list();
    expect(found.map(({ id, path, type, mode }) => [id, path, type, mode])).toEqual([
      [0, 'd', 'directory', 0o1755],
      [3, 't', 'file', 0o4755],
    ]);
  });

  const contentsOf = async (files: RemoteFiles): Promise<string[]> => {
    const found: string[] = [];
    for await (const { body } of files.contents(await files.list())) {
      const chunks: Buffer[] = [];
      for await (const chunk of body) chunks.push(chunk);
      found.push(Buffer.concat(chunks).toString());
    }
    await files.finish();
    return found;
  };

  it('gets no more of a file than it was listed with, in whatever order the pieces come', async () => {
    const asked: number[] = [];
    const files = await peer(listing({ path: 'a', size: 3 }, { path: 'b', size: 3 }), (id, send) => {
      asked.push(id);
      if (asked.length < 2) return;
      send({ type: PacketType.DATA, id: 1, data: Buffer.from('b1') });
      send({ type: PacketType.DATA, id: 0, data: Buffer.from('a1') });
      send({ type: PacketType.DATA, id: 1, data: Buffer.from('b2, and more than was said') });
      send({ type: PacketType.DATA, id: 1 });
      send({ type: PacketType.DATA, id: 0 });
    });
    expect(await contentsOf(files)).toEqual(['a1', 'b1b']);
  });

  it.each<[string, (id: number, send: Send) => void, RegExp]>([
    [
      'a file that nobody asked for',
      (_, send) => send({ type: PacketType.DATA, id: 7 }),
      /invalid file request 7/,
    ],
    ['a packet of no kind', (_, send) => send({ type: 9 }), /unexpected packet 9/],
    ['another listing', (_, send) => send({ type: PacketType.STAT }), /unexpected packet 0/],
    [
      'an error',
      (_, send) => send({ type: PacketType.ERR, data: Buffer.from('disk') }),
      /error from sender: disk/,
    ],
    [
      'more after the end',
      (id, send) => {
        send({ type: PacketType.DATA, id });
        send({ type: PacketType.DATA, id });
      },
      /invalid file request|unexpected/,
    ],
  ])('is refused while it sends: %s', async (_, onRequest, words) => {
    const files = await peer(listing({ path: 'a', size: 1 }), onRequest);
    await expect(contentsOf(files)).rejects.toThrow(words);
  });
});

describe('what is asked of a client again', () => {
  const entry = (path: string, more: Partial<StoredEntry> = {}): StoredEntry => ({
    path,
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 1,
    mtime: 1n,
    target: '',
    linkOf: '',
    digest: 'sha256:x',
    ...more,
  });
  const known = (...entries: StoredEntry[]) => new Map(entries.map((each) => [each.path, each]));
  const remote = (path: string, more: Partial<RemoteEntry> = {}): RemoteEntry => {
    const { digest: _, ...rest } = entry(path);
    return { id: 0, ...rest, ...more };
  };

  it('is what changed, with the folders above it', () => {
    const before = known(entry('d', { type: 'directory' }), entry('d/a'), entry('d/b'), entry('gone'));
    const folder = remote('d', { type: 'directory', size: 0 });
    const changes = compare(before, [folder, remote('d/a'), remote('d/b', { mtime: 2n })]);
    expect(changes.removed).toEqual(['gone']);
    expect([...changes.written].sort()).toEqual(['d', 'd/b']);
    expect(changes.fetched.map(({ path }) => path)).toEqual(['d/b']);
  });

  it('is another name of a file too when that file is new', () => {
    const before = known(entry('a'), entry('b', { linkOf: 'a' }));
    const changes = compare(before, [remote('a', { mtime: 2n }), remote('b', { linkOf: 'a' })]);
    expect([...changes.written]).toEqual(['a', 'b']);
    expect(compare(before, [remote('a'), remote('b', { linkOf: 'a' })]).written.size).toBe(0);
  });

  it('removes only the topmost of what is gone', () => {
    const before = known(
      entry('d', { type: 'directory' }),
      entry('d/e', { type: 'directory' }),
      entry('d/e/f'),
    );
    expect(compare(before, []).removed).toEqual(['d']);
  });

  it('sorts as a walk does', () => {
    expect(['a-b', 'a/b', 'a', 'b', 'a/a/c'].sort(comparePaths)).toEqual(['a', 'a/a/c', 'a/b', 'a-b', 'b']);
  });

  it('follows symbolic links no further than the folder', () => {
    const links = new Map([
      ['out', { type: 'symlink', target: '../../etc/passwd' }],
      ['abs', { type: 'symlink', target: '/real' }],
      ['loop', { type: 'symlink', target: 'loop' }],
      ['d', { type: 'symlink', target: 'e/f' }],
    ] as const);
    expect(resolveLinks(links, 'out')).toBe('etc/passwd');
    expect(resolveLinks(links, 'abs')).toBe('real');
    expect(resolveLinks(links, 'loop')).toBeUndefined();
    expect(resolveLinks(links, 'd/../x')).toBe('e/x');
  });

  it('escapes what headers cannot carry', () => {
    expect(encodeMetadata({ a: ['plain'], b: ['größe x'], c: [] })).toEqual({
      a: ['plain'],
      b: ['gr%C3%B6%C3%9Fe+x'],
      'b-encoded': ['1'],
    });
  });
});

describe('sessions', () => {
  const headers = { upgrade: 'h2c', 'x-docker-expose-session-uuid': 'id' };
  it('need an id, and HTTP/2', () => {
    expect(SessionRegistry.describe(headers)).toEqual({ id: 'id', sharedKey: '', methods: [''] });
    expect(() => SessionRegistry.describe({ upgrade: 'h2c' })).toThrow('no session id');
    expect(() => SessionRegistry.describe({ ...headers, upgrade: 'tcp' })).toThrow('tcp not supported');
  });

  it('that do not come are not waited for beyond the build', async () => {
    const leaving = new AbortController();
    const waiting = new SessionRegistry().get('never', leaving.signal);
    leaving.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});

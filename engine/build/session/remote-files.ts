// fsutil's protocol as its receiver: a client lists the files of a folder, and sends the contents that it is asked for.

import { InvalidParameter } from '../../errors.ts';
import { CONTEXT_LIMITS, ContextMeter, checkPath, LAST_ID, parentOf } from '../contexts/limits.ts';
import type { ClientStream, GrpcClient } from '../grpc/client.ts';
import type { Value } from '../proto/message.ts';
import { Packet, PacketType, permissionsOf, SESSION_METHOD, type Stat, typeOf } from './messages.ts';

/** A file as its client lists it. */
export interface RemoteEntry {
  /** its number, by which its content is asked for */
  id: number;
  path: string;
  type: 'file' | 'directory' | 'symlink' | 'fifo' | 'device';
  mode: number;
  uid: number;
  gid: number;
  /** bytes, as it was when it was listed; 0 for another name of a listed file */
  size: number;
  mtime: bigint;
  target: string;
  linkOf: string;
}

export interface Selection {
  /** the client's name of the folder */
  name: string;
  /** paths and patterns; symbolic links among them are followed */
  followPaths: readonly string[];
  excludePatterns: readonly string[];
}

/** What is asked for ahead of the file that is being read: this many files and bytes. */
const AHEAD = { files: 256, bytes: 8 * 2 ** 20 };

interface Wanted {
  entry: RemoteEntry;
  chunks: Buffer[];
  /** bytes that came */
  received: number;
  isDone: boolean;
}

/** One listing, and the contents of what is in it. */
export class RemoteFiles {
  /** bytes that came, messages around them included */
  received = 0;
  readonly #stream: ClientStream;
  readonly #wanted = new Map<number, Wanted>();

  private constructor(stream: ClientStream) {
    this.#stream = stream;
  }

  static open(client: GrpcClient, selection: Selection, signal: AbortSignal): RemoteFiles {
    const metadata = encodeMetadata({
      'dir-name': [selection.name],
      'exclude-patterns': selection.excludePatterns,
      followpaths: selection.followPaths,
    });
    return new RemoteFiles(client.open(SESSION_METHOD.diffCopy, metadata, signal));
  }

  /** All entries, parents first. Throws InvalidParameter for a listing that cannot be. */
  async list(): Promise<RemoteEntry[]> {
    const entries: RemoteEntry[] = [];
    const meter = new ContextMeter();
    const types = new Map<string, RemoteEntry['type']>([['', 'directory']]);
    for (let id = 0; ; id++) {
      const packet = await this.#next();
      if (packet.type !== PacketType.STAT) throw unexpected(packet.type);
      if (!packet.stat) return entries;
      const entry = readStat(id, packet.stat);
      if (!entry) continue;
      meter.count(entry.path, entry.target, entry.size);
      if (types.has(entry.path))
        throw new InvalidParameter(`duplicate path in the build context: ${entry.path}`);
      if (types.get(parentOf(entry.path)) !== 'directory') {
        throw new InvalidParameter(`a path of the build context is not below a directory: ${entry.path}`);
      }
      if (entry.linkOf !== '' && types.get(entry.linkOf) !== 'file') {
        throw new InvalidParameter(`invalid hard link in the build context: ${entry.path}`);
      }
      types.set(entry.path, entry.type);
      entries.push(entry);
    }
  }

  /**
   * The contents of files, each to be read to its end before the next. A file gives at most as many bytes as it was
   * listed with, and fewer when it has shrunk since.
   */
  async *contents(
    files: readonly RemoteEntry[],
  ): AsyncGenerator<{ entry: RemoteEntry; body: AsyncGenerator<Buffer> }> {
    let asked = 0;
    for (const [index, entry] of files.entries()) {
      let ahead = 0;
      for (const { entry: each } of this.#wanted.values()) ahead += each.size;
      for (let next = files[asked]; next; next = files[asked]) {
        const fits = asked - index < AHEAD.files && ahead + next.size <= AHEAD.bytes;
        if (asked > index && !fits) break;
        this.#wanted.set(next.id, { entry: next, chunks: [], received: 0, isDone: false });
        await this.#stream.send(Packet.encode({ type: PacketType.REQ, id: next.id }));
        ahead += next.size;
        asked += 1;
      }
      const body = this.#content(entry.id);
      yield { entry, body };
      for await (const _ of body);
    }
  }

  async *#content(id: number): AsyncGenerator<Buffer> {
    const wanted = this.#wanted.get(id);
    if (!wanted) return;
    for (;;) {
      yield* wanted.chunks.splice(0);
      if (wanted.isDone) break;
      await this.#receive();
    }
    this.#wanted.delete(id);
  }

  /** One packet, to whoever waits for it. */
  async #receive(): Promise<void> {
    const packet = await this.#next();
    if (packet.type !== PacketType.DATA) throw unexpected(packet.type);
    const wanted = this.#wanted.get(packet.id);
    if (!wanted || wanted.isDone) throw new InvalidParameter(`invalid file request ${packet.id}`);
    if (packet.data.length === 0) {
      wanted.isDone = true;
      return;
    }
    const room = wanted.entry.size - wanted.received;
    if (room > 0) wanted.chunks.push(packet.data.subarray(0, room));
    wanted.received += packet.data.length;
    if (wanted.received > CONTEXT_LIMITS.size) throw new InvalidParameter(`${wanted.entry.path} has no end`);
  }

  /** Ends it in good order: the client waits for that. */
  async finish(): Promise<void> {
    await this.#stream.send(Packet.encode({ type: PacketType.FIN }));
    const { type } = await this.#next();
    if (type !== PacketType.FIN) throw unexpected(type);
    this.#stream.closeSend();
    const { done } = await this.#stream.messages.next();
    if (!done) throw new InvalidParameter('the client goes on after the end of its transfer');
  }

  cancel(): void {
    this.#stream.cancel();
  }

  async #next(): Promise<Value<typeof Packet>> {
    const timer = setTimeout(() => this.#stream.cancel(), CONTEXT_LIMITS.silence);
    try {
      const { done, value } = await this.#stream.messages.next();
      if (done) throw new InvalidParameter('the client ended the transfer of the build context');
      this.received += value.length;
      const packet = decodePacket(value);
      if (packet.type === PacketType.ERR) {
        throw new InvalidParameter(`error from sender: ${packet.data.toString('utf8').slice(0, 2000)}`);
      }
      return packet;
    } finally {
      clearTimeout(timer);
    }
  }
}

function decodePacket(bytes: Buffer): Value<typeof Packet> {
  try {
    return Packet.decode(bytes);
  } catch (error) {
    throw new InvalidParameter('the client sent a packet that cannot be read', { cause: error });
  }
}

function unexpected(type: number): InvalidParameter {
  return new InvalidParameter(`unexpected packet ${type} from the client`);
}

function readStat(id: number, stat: Value<typeof Stat>): RemoteEntry | undefined {
  const { path, uid, gid, size } = stat;
  checkPath(path);
  const type = typeOf(stat.mode);
  // sockets are left out, and device nodes cannot be made in a lab host
  if (type === undefined || type === 'device') return undefined;
  if (uid < 0 || gid < 0 || uid > LAST_ID || gid > LAST_ID) {
    throw new InvalidParameter(`${path} belongs to ${uid}:${gid}, which a lab host does not have`);
  }
  if (!Number.isSafeInteger(size) || size < 0) throw new InvalidParameter(`the size of ${path} is not valid`);
  const isLink = type === 'file' && stat.linkname !== '';
  if (isLink) checkPath(stat.linkname);
  if (
    type === 'symlink' &&
    (stat.linkname === '' || stat.linkname.includes('\0') || stat.linkname.length > CONTEXT_LIMITS.path)
  ) {
    throw new InvalidParameter(`the symbolic link ${path} is not valid`);
  }
  return {
    id,
    path,
    type,
    mode: permissionsOf(stat.mode),
    uid,
    gid,
    size: type === 'file' && !isLink ? size : 0,
    mtime: stat.modTime,
    target: type === 'symlink' ? stat.linkname : '',
    linkOf: isLink ? stat.linkname : '',
  };
}

/** Values that are not ASCII are escaped, and said to be, as session/filesync does. */
export function encodeMetadata(values: Record<string, readonly string[]>): Record<string, string[]> {
  const metadata: Record<string, string[]> = {};
  for (const [key, list] of Object.entries(values)) {
    if (list.length === 0) continue;
    const isPlain = list.every((value) => /^[\x20-\x7e]*$/.test(value) && value === value.trim());
    metadata[key] = isPlain ? [...list] : list.map(queryEscape);
    if (!isPlain) metadata[`${key}-encoded`] = ['1'];
  }
  return metadata;
}

/** Go's url.QueryEscape. */
function queryEscape(value: string): string {
  return encodeURIComponent(value)
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

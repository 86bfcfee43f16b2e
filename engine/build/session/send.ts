// What a build gives to its client: an archive as bytes, or files as fsutil's sender gives them.

import { InvalidParameter, SystemError } from '../../errors.ts';
import { readTar } from '../../image/tar.ts';
import { CONTEXT_LIMITS } from '../contexts/limits.ts';
import type { ClientStream } from '../grpc/client.ts';
import { BytesMessage, GO_MODE, goPermissions, Packet, PacketType, SESSION_METHOD } from './messages.ts';
import type { Session } from './sessions.ts';

/** Bytes of one message; grpc-go's default limit is 4 MiB. */
const PIECE = 64 * 1024;
const MAX_FILES = 1_000_000;

function openSend(session: Session, signal: AbortSignal): ClientStream {
  if (!session.supports(SESSION_METHOD.fileSend)) {
    throw new InvalidParameter('method /moby.filesync.v1.FileSend/diffcopy not supported by the client');
  }
  return session.client.open(SESSION_METHOD.fileSend, { 'buildkit-attachable-exporter-id': '0' }, signal);
}

/** `-o type=tar`, `type=oci`, `type=docker`: the client writes the bytes where it was told to. */
export async function sendBytes(
  session: Session,
  source: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  const call = openSend(session, signal);
  try {
    for await (const chunk of source) {
      for (let at = 0; at < chunk.length; at += PIECE) {
        await call.send(BytesMessage.encode({ data: chunk.subarray(at, at + PIECE) }));
      }
    }
    call.closeSend();
    for await (const _ of call.messages);
  } catch (error) {
    call.cancel();
    throw error;
  }
}

/** `-o type=local`: the files of an archive, in the order of a walk. */
export async function sendFiles(
  session: Session,
  archive: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  const call = openSend(session, signal);
  try {
    const receiver = new Receiver(call);
    let id = 0;
    for await (const member of readTar(archive, { members: MAX_FILES })) {
      if (member.name === '' || member.type === 'other') continue;
      const isHardLink = member.type === 'link' && !member.isSymlink;
      const type = member.type === 'directory' ? GO_MODE.directory : member.isSymlink ? GO_MODE.symlink : 0;
      const stat = {
        path: member.name,
        mode: goPermissions(member.mode) + type,
        uid: member.uid,
        gid: member.gid,
        size: member.type === 'file' ? member.size : 0,
        modTime: BigInt(member.mtime) * 1_000_000_000n,
        linkname: member.target,
      };
      await call.send(Packet.encode({ type: PacketType.STAT, stat }));
      // what is a file to the receiver it asks for, and waits for; another name of one it links
      if (member.type === 'file') await receiver.give(id, member.body);
      else if (isHardLink) receiver.skip(id);
      id += 1;
    }
    await call.send(Packet.encode({ type: PacketType.STAT }));
    await receiver.finish();
  } catch (error) {
    call.cancel();
    throw error;
  }
}

/** The far end: it asks for files by number, in any order, and says when it has all. */
class Receiver {
  readonly #call: ClientStream;
  readonly #asked = new Set<number>();

  constructor(call: ClientStream) {
    this.#call = call;
  }

  skip(id: number): void {
    this.#asked.delete(id);
  }

  async give(id: number, body: AsyncIterable<Buffer>): Promise<void> {
    while (!this.#asked.has(id)) await this.#read();
    this.#asked.delete(id);
    for await (const chunk of body) {
      for (let at = 0; at < chunk.length; at += PIECE) {
        const data = chunk.subarray(at, at + PIECE);
        await this.#call.send(Packet.encode({ type: PacketType.DATA, id, data }));
      }
    }
    await this.#call.send(Packet.encode({ type: PacketType.DATA, id }));
  }

  async #read(): Promise<'asked' | 'finished'> {
    const timer = setTimeout(() => this.#call.cancel(), CONTEXT_LIMITS.silence);
    try {
      const { done, value } = await this.#call.messages.next();
      if (done) throw new SystemError('the client ended the transfer of the result');
      const packet = Packet.decode(value);
      if (packet.type === PacketType.FIN) return 'finished';
      if (packet.type === PacketType.ERR) {
        throw new InvalidParameter(`error from receiver: ${packet.data.toString('utf8').slice(0, 2000)}`);
      }
      if (packet.type !== PacketType.REQ || this.#asked.size > MAX_FILES) {
        throw new InvalidParameter(`unexpected packet ${packet.type} from the client`);
      }
      this.#asked.add(packet.id);
      return 'asked';
    } finally {
      clearTimeout(timer);
    }
  }

  async finish(): Promise<void> {
    while ((await this.#read()) !== 'finished');
    await this.#call.send(Packet.encode({ type: PacketType.FIN }));
    this.#call.closeSend();
    for await (const _ of this.#call.messages);
  }
}

// A small stand-in for berth-init, for tests of the engine's end only: it answers as a test tells it to.

import net from 'node:net';
import { encodeFrame, FieldWriter, type Frame, FrameSplitter, Tag, Type } from '../init-codec.ts';

export type Answer = (frame: Frame, socket: net.Socket) => void;

export class FakeInit {
  readonly #server = net.createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  readonly #sockets = new Set<net.Socket>();
  readonly received: Frame[] = [];
  boot = 'boot-1';
  /** sent before the reply to HELLO */
  known: Buffer[] = [];
  answers = new Map<number, Answer>();
  control: net.Socket | undefined;

  listen(path: string): Promise<void> {
    return new Promise((resolve) => this.#server.listen(path, resolve));
  }

  async close(): Promise<void> {
    this.drop();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Breaks every connection. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: net.Socket): void {
    const splitter = new FrameSplitter();
    this.#sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      for (const frame of splitter.push(chunk)) {
        // what is read is a part of a larger buffer
        this.received.push({ ...frame, body: Buffer.from(frame.body) });
        this.#answer(frame, socket);
      }
    });
  }

  #answer(frame: Frame, socket: net.Socket): void {
    const answer = this.answers.get(frame.type);
    if (answer) answer(frame, socket);
    else if (frame.type === Type.HELLO) {
      this.control = socket;
      for (const event of this.known) socket.write(event);
      socket.write(reply(frame.id, (w) => w.u32(Tag.VERSION, 1).string(Tag.BOOT, this.boot)));
    } else if (frame.type < Type.REPLY) socket.write(reply(frame.id));
  }
}

export function reply(id: number, add: (w: FieldWriter) => unknown = () => undefined, errno = 0): Buffer {
  const w = new FieldWriter().u32(Tag.ERRNO, errno);
  add(w);
  return encodeFrame(Type.REPLY, id, w.finish());
}

export function processEvent(key: string, state: 1 | 2, status = 0, type: number = Type.PROCESS): Buffer {
  const w = new FieldWriter()
    .string(Tag.KEY, key)
    .u32(Tag.PID, 42)
    .u32(Tag.STATE, state)
    .u32(Tag.STATUS, status);
  w.u64(Tag.STARTED, 1n)
    .u64(Tag.FINISHED, state === 2 ? 2n : 0n)
    .u32(Tag.OOM, 0);
  return encodeFrame(type, 0, w.finish());
}

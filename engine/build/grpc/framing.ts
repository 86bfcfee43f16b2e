// gRPC's messages on an HTTP/2 stream: a flag, a length, the bytes; cut apart and put together, within bounds.

import type { Duplex, Writable } from 'node:stream';
import { Code, GrpcError } from './status.ts';

/** What one connection may use. A peer that goes beyond is told so, and its call or connection ends. */
export const GRPC_LIMITS = {
  /** bytes of one message; grpc-go sends at most 4 MiB, buildx raises that to 16 MiB for definitions */
  message: 16 * 2 ** 20,
  /** calls at a time on one connection */
  streams: 100,
  /** bytes of the headers of a call: .dockerignore's patterns travel in them */
  headers: 2 ** 20,
  /** bytes that a peer may send ahead on one stream, and on one connection */
  streamWindow: 2 ** 20,
  connectionWindow: 8 * 2 ** 20,
  /** MiB that Node keeps for one connection (http2's maxSessionMemory) */
  connectionMemory: 64,
  /** milliseconds for a call of one question and one answer, where the peer sets no limit of its own */
  unaryTimeout: 30_000,
} as const;

const HEADER = 5;

/** A message as it goes over the wire. */
export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, HEADER);
  return frame;
}

/** Sends a message; resolves when there is room for another, or the stream is closed. */
export async function writeMessage(stream: Writable, message: Uint8Array): Promise<void> {
  if (stream.write(frameMessage(message))) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.once('drain', done).once('close', done);
  });
}

/** Cuts a stream of chunks into messages. */
export class MessageSplitter {
  #chunks: Buffer[] = [];
  #size = 0;
  readonly #limit: number;

  constructor(limit: number = GRPC_LIMITS.message) {
    this.#limit = limit;
  }

  /** the bytes of a message that is not whole yet */
  get pending(): number {
    return this.#size;
  }

  /** The messages that are whole now. Throws GrpcError. */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const found: Buffer[] = [];
    for (;;) {
      const length = this.#nextLength();
      if (length === undefined || this.#size < HEADER + length) return found;
      found.push(this.#take(HEADER + length).subarray(HEADER));
    }
  }

  #nextLength(): number | undefined {
    if (this.#size < HEADER) return undefined;
    const header = this.#start();
    if (header[0] !== 0) throw new GrpcError(Code.UNIMPLEMENTED, 'compressed messages are not supported');
    const length = header.readUInt32BE(1);
    if (length > this.#limit) {
      throw new GrpcError(
        Code.RESOURCE_EXHAUSTED,
        `received message larger than max (${length} vs. ${this.#limit})`,
      );
    }
    return length;
  }

  /** chunks joined until the first holds a header */
  #start(): Buffer {
    const [first] = this.#chunks;
    if (first && first.length >= HEADER) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #take(size: number): Buffer {
    const [first] = this.#chunks;
    const whole = first && first.length >= size ? first : Buffer.concat(this.#chunks);
    if (whole !== first) this.#chunks = [whole];
    const rest = whole.subarray(size);
    if (rest.length > 0) this.#chunks[0] = rest;
    else this.#chunks.shift();
    this.#size -= size;
    return whole.subarray(0, size);
  }
}

/** HTTP/2 has taken the socket's reading over: without this the peer's end of it would not be noticed. */
export function endWithPeer(socket: Duplex): void {
  socket.once('end', () => socket.destroy());
  socket.resume();
}

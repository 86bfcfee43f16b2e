// Streams of a sandbox's processes, files and ports: each has a connection of its own, so that the kernel's socket
// buffers give back-pressure all the way to the program.

import net from 'node:net';
import { Readable } from 'node:stream';
import { Unavailable } from '../errors.ts';
import {
  encodeFrame,
  FieldWriter,
  type Frame,
  FrameSplitter,
  MAX_RAW,
  Tag,
  Type,
  violation,
} from './init-codec.ts';
import { checkKey, readReply } from './init-messages.ts';
import type { Attachment, AttachOptions, FileStream } from './init-types.ts';

const REPLY_TIMEOUT = 10_000;
const STREAM_ID = 1;

const AttachFlag = { STDIN: 1, STDOUT: 2, STDERR: 4, REPLAY: 8, STDIN_ONCE: 16 } as const;

/** Connects to berth-init's socket; rejects with Unavailable. */
export function connectInit(
  socketPath: string,
  options: { allowHalfOpen?: boolean } = {},
): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path: socketPath, allowHalfOpen: options.allowHalfOpen ?? false });
    const onError = (error: Error) =>
      reject(new Unavailable('the sandbox cannot be reached', { cause: error }));
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.off('error', onError);
      // the close that follows is what everyone looks at
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

/** The frames that arrive, read as fast as they are taken. Throws Unavailable when the connection ends. */
async function* framesOf(socket: net.Socket): AsyncGenerator<Frame, never> {
  const splitter = new FrameSplitter();
  try {
    for await (const chunk of socket) yield* splitter.push(chunk);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new Unavailable('the connection to the sandbox broke', { cause: error });
  } finally {
    socket.destroy();
  }
  throw new Unavailable('the sandbox ended the connection');
}

/** Destroys the socket when `work` takes too long or fails. */
async function answered<T>(socket: net.Socket, timeout: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Unavailable('the sandbox does not answer')), timeout);
  });
  try {
    return await Promise.race([work(), late]);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function openStream(socketPath: string, type: number, fields: Buffer, subject: string) {
  const socket = await connectInit(socketPath);
  const frames = framesOf(socket);
  const reply = await answered(socket, REPLY_TIMEOUT, async () => {
    socket.write(encodeFrame(type, STREAM_ID, fields));
    const { value } = await frames.next();
    if (value.type !== Type.REPLY) throw violation('a stream that does not begin with a reply');
    return readReply(value.body, subject);
  });
  return { socket, frames, reply };
}

async function openAttach(socketPath: string, key: string, flags: number) {
  const fields = new FieldWriter().string(Tag.KEY, checkKey(key)).u32(Tag.FLAGS, flags).finish();
  return openStream(socketPath, Type.ATTACH, fields, `attach to ${key}`);
}

/**
 * ATTACH: the process's standard streams. Input goes over a connection of its own: writing to a process that has just
 * ended breaks that one, and would take with it what the other had not been read of.
 */
export async function attachTo(socketPath: string, key: string, options: AttachOptions): Promise<Attachment> {
  const inputFlags = AttachFlag.STDIN | (options.stdinOnce ? AttachFlag.STDIN_ONCE : 0);
  const outputFlags =
    (options.stdout ? AttachFlag.STDOUT : 0) |
    (options.stderr ? AttachFlag.STDERR : 0) |
    (options.replay ? AttachFlag.REPLAY : 0);
  const input = options.stdin ? await openAttach(socketPath, key, inputFlags) : undefined;
  let output: Awaited<ReturnType<typeof openAttach>>;
  try {
    output = await openAttach(socketPath, key, outputFlags);
  } catch (error) {
    input?.socket.destroy();
    throw error;
  }
  let isClosed = false;
  // what berth-init says on it (END) is of no interest, but must be read for its end to be seen
  input?.socket.resume();

  async function* read(): AsyncGenerator<{ stream: 'stdout' | 'stderr'; data: Buffer }> {
    try {
      for await (const frame of output.frames) {
        if (frame.type === Type.END) return;
        if (frame.type !== Type.STDOUT && frame.type !== Type.STDERR)
          throw violation(`frame ${frame.type} in output`);
        yield { stream: frame.type === Type.STDOUT ? 'stdout' : 'stderr', data: frame.body };
      }
    } catch (error) {
      if (!isClosed) throw error;
    }
  }

  return {
    stdin: input ? stdinOf(input.socket) : NO_INPUT,
    output: read(),
    close() {
      isClosed = true;
      input?.socket.destroy();
      output.socket.destroy();
    },
  };
}

/** Attached without input: what is written goes nowhere. */
const NO_INPUT: Attachment['stdin'] = {
  write: () => true,
  end: () => undefined,
  once: (_event, listener) => queueMicrotask(listener),
};

function stdinOf(socket: net.Socket): Attachment['stdin'] {
  let isEnded = false;
  const send = (bytes: Uint8Array) => socket.writable && socket.write(encodeFrame(Type.STDIN, 0, bytes));
  return {
    write(chunk) {
      if (isEnded) return true;
      let goesOn = true;
      for (let at = 0; at < chunk.length; at += MAX_RAW) goesOn = send(chunk.subarray(at, at + MAX_RAW));
      return goesOn;
    },
    end() {
      if (!isEnded) send(new Uint8Array());
      isEnded = true;
    },
    once(event, listener) {
      // nobody may wait for ever on a connection that is gone
      if (socket.destroyed) queueMicrotask(listener);
      else {
        const wake = () => {
          socket.off(event, wake);
          socket.off('close', wake);
          listener();
        };
        socket.once(event, wake);
        socket.once('close', wake);
      }
    },
  };
}

/** FILE: a regular file's content. */
export async function readFileFrom(
  socketPath: string,
  path: string,
  options: { offset?: number; tailLines?: number; limit?: number; follow?: string },
): Promise<FileStream> {
  const w = new FieldWriter().string(Tag.PATH, path);
  w.optional(options.offset, (offset) => w.u64(Tag.OFFSET, offset));
  w.optional(options.tailLines, (lines) => w.u32(Tag.TAIL, Math.min(lines, 0xffffffff)));
  w.optional(options.limit, (limit) => w.u64(Tag.LIMIT, limit));
  w.optional(options.follow, (key) => w.string(Tag.KEY, checkKey(key)));
  const { frames, reply, socket } = await openStream(socketPath, Type.FILE, w.finish(), path);

  async function* content(): AsyncGenerator<Buffer> {
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    for await (const frame of frames) {
      if (frame.type === Type.END) return;
      if (frame.type !== Type.DATA) throw violation(`frame ${frame.type} in a file`);
      left -= frame.body.length;
      if (left < 0) throw violation('more of a file than was asked for');
      if (frame.body.length > 0) yield frame.body;
    }
  }

  const body = Readable.from(content(), { objectMode: false });
  body.once('close', () => socket.destroy());
  return {
    size: Number(reply.u64(Tag.SIZE) ?? 0n),
    mode: reply.u32(Tag.MODE) ?? 0,
    uid: reply.u32(Tag.UID) ?? 0,
    gid: reply.u32(Tag.GID) ?? 0,
    mtime: reply.u64(Tag.MTIME) ?? 0n,
    inode: reply.u64(Tag.INODE) ?? 0n,
    body,
  };
}

/** Reads exactly one frame and leaves what follows in the socket. */
async function readOneFrame(socket: net.Socket): Promise<Frame> {
  const splitter = new FrameSplitter();
  const exactly = (size: number) =>
    new Promise<Buffer>((resolve, reject) => {
      const onReadable = () => {
        const chunk: unknown = socket.read(size);
        if (!(chunk instanceof Buffer)) return;
        if (chunk.length < size) onEnd();
        else settle(() => resolve(chunk));
      };
      const onEnd = () => settle(() => reject(new Unavailable('the sandbox ended the connection')));
      const settle = (finish: () => void) => {
        socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
        finish();
      };
      socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd);
      onReadable();
    });
  const head = await exactly(4);
  for (const _ of splitter.push(head)) throw violation('an empty frame');
  const [frame] = splitter.push(await exactly(head.readUInt32LE(0)));
  if (!frame) throw violation('a frame that is cut off');
  return frame;
}

/** DIAL: a TCP connection from inside the sandbox. The socket is half-open capable and paused. */
export async function dialFrom(
  socketPath: string,
  address: string,
  port: number,
  options: { netns?: string; timeout?: number },
): Promise<net.Socket> {
  const w = new FieldWriter().string(Tag.ADDR, address).u32(Tag.PORT, port);
  w.optional(options.netns, (netns) => w.string(Tag.NETNS, netns));
  const request = encodeFrame(Type.DIAL, STREAM_ID, w.finish());
  const socket = await connectInit(socketPath, { allowHalfOpen: true });
  await answered(socket, options.timeout ?? REPLY_TIMEOUT, async () => {
    socket.write(request);
    const frame = await readOneFrame(socket);
    if (frame.type !== Type.REPLY) throw violation('a dial that does not begin with a reply');
    readReply(frame.body, `dial ${address} port ${port}`);
  });
  return socket;
}

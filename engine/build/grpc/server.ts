// The server's side of gRPC on a connection that is there already (a Docker socket that was upgraded to h2c).

import http2 from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Message } from '../proto/message.ts';
import { endWithPeer, GRPC_LIMITS, MessageSplitter, writeMessage } from './framing.ts';
import { Code, GrpcError, statusTrailers, toGrpcError } from './status.ts';

/** What a handler knows of a call beside its request. */
export interface ServerCall {
  metadata: http2.IncomingHttpHeaders;
  /** aborted when the client cancels, is gone, or its time is over */
  signal: AbortSignal;
}

/** One procedure: it takes a message and gives one, or several. */
export interface Method {
  handle(call: ServerCall, request: Buffer): Promise<Buffer> | AsyncIterable<Buffer>;
}

/** Procedures by path: `/moby.buildkit.v1.Control/Solve`. */
export type Methods = ReadonlyMap<string, Method>;

function decode<T>(type: Message<T>, bytes: Buffer): T {
  try {
    return type.decode(bytes);
  } catch (error) {
    throw new GrpcError(Code.INTERNAL, 'grpc: error unmarshalling request', [], { cause: error });
  }
}

/** A procedure with one answer. */
export function unary<Q, A>(
  question: Message<Q>,
  answer: Message<A>,
  handle: (request: Q, call: ServerCall) => Promise<Partial<A>>,
): Method {
  return {
    handle: async (call, bytes) => answer.encode(await handle(decode(question, bytes), call)),
  };
}

/** A procedure that answers with a stream of messages. */
export function streaming<Q, A>(
  question: Message<Q>,
  answer: Message<A>,
  handle: (request: Q, call: ServerCall) => AsyncIterable<Partial<A>>,
): Method {
  return {
    async *handle(call, bytes) {
      for await (const each of handle(decode(question, bytes), call)) yield answer.encode(each);
    },
  };
}

/**
 * Answers calls on the connection until it ends. Nothing that a peer sends ends more than its own call or connection.
 * @param onFault hears of errors that are no answer to the client
 */
export function serveGrpc(
  socket: Duplex,
  methods: Methods,
  onFault: (error: unknown) => void,
): Promise<void> {
  const server = http2.createServer({
    maxSessionMemory: GRPC_LIMITS.connectionMemory,
    settings: {
      enablePush: false,
      maxConcurrentStreams: GRPC_LIMITS.streams,
      maxHeaderListSize: GRPC_LIMITS.headers,
      initialWindowSize: GRPC_LIMITS.streamWindow,
    },
  });
  server.on('session', (session) => {
    session.setLocalWindowSize(GRPC_LIMITS.connectionWindow);
    session.on('error', () => session.destroy());
  });
  server.on('sessionError', () => socket.destroy());
  server.on('stream', (stream, headers) => {
    answer(stream, headers, methods).catch((error) => {
      onFault(error);
      stream.destroy();
    });
  });
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
    server.emit('connection', socket);
    endWithPeer(socket);
  });
}

async function answer(
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  methods: Methods,
): Promise<void> {
  stream.on('error', () => undefined);
  const ending = new AbortController();
  const cancel = () => ending.abort(new GrpcError(Code.CANCELLED, 'context canceled'));
  stream.once('close', cancel);
  const timer = startDeadline(headers['grpc-timeout'], ending);
  try {
    const method = chooseMethod(headers, methods);
    const request = await readOne(stream);
    stream.resume();
    const answers = method.handle({ metadata: headers, signal: ending.signal }, request);
    if (answers instanceof Promise) {
      const bytes = await answers;
      ending.signal.throwIfAborted();
      await write(stream, bytes);
    } else {
      for await (const each of answers) await write(stream, each);
    }
    finish(stream, undefined);
  } catch (error) {
    finish(stream, toGrpcError(ending.signal.aborted ? (ending.signal.reason ?? error) : error));
  } finally {
    clearTimeout(timer);
    stream.off('close', cancel);
  }
}

function chooseMethod(headers: http2.IncomingHttpHeaders, methods: Methods): Method {
  const path = headers[':path'] ?? '';
  if (headers[':method'] !== 'POST' || !headers['content-type']?.startsWith('application/grpc')) {
    throw new GrpcError(Code.INTERNAL, 'this is no gRPC call');
  }
  const method = methods.get(path);
  if (method) return method;
  const [, service = '', name = ''] = path.slice(0, 300).split('/');
  const known = [...methods.keys()].some((each) => each.startsWith(`/${service}/`));
  throw new GrpcError(
    Code.UNIMPLEMENTED,
    known ? `unknown method ${name} for service ${service}` : `unknown service ${service}`,
  );
}

const UNITS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

function startDeadline(text: unknown, ending: AbortController): NodeJS.Timeout | undefined {
  const [, amount, unit] = /^(\d{1,8})([HMSmun])$/.exec(typeof text === 'string' ? text : '') ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  const delay = Math.min(Number(amount) * (UNITS[unit] ?? 1), 2 ** 31 - 1);
  const expire = () => ending.abort(new GrpcError(Code.DEADLINE_EXCEEDED, 'context deadline exceeded'));
  return setTimeout(expire, delay).unref();
}

/** The request; what comes after it is dropped, for no procedure here takes a stream. */
function readOne(stream: http2.ServerHttp2Stream): Promise<Buffer> {
  const splitter = new MessageSplitter();
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      stream.off('data', onData).off('end', onEnd).off('close', onEnd);
      finish();
    };
    const onEnd = () => settle(() => reject(new GrpcError(Code.INTERNAL, 'a call without its request')));
    const onData = (chunk: Buffer) => {
      try {
        const [request] = splitter.push(chunk);
        if (request) settle(() => resolve(request));
      } catch (error) {
        settle(() => reject(error));
      }
    };
    stream.on('data', onData).once('end', onEnd).once('close', onEnd);
  });
}

function begin(stream: http2.ServerHttp2Stream): void {
  if (stream.headersSent || stream.destroyed) return;
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
}

async function write(stream: http2.ServerHttp2Stream, message: Buffer): Promise<void> {
  begin(stream);
  if (stream.destroyed || stream.writableEnded) return;
  await writeMessage(stream, message);
}

function finish(stream: http2.ServerHttp2Stream, error: GrpcError | undefined): void {
  if (stream.destroyed || stream.closed) return;
  if (!stream.headersSent) {
    const head = { ':status': 200, 'content-type': 'application/grpc' };
    stream.respond({ ...head, ...statusTrailers(error) }, { endStream: true });
  } else {
    stream.once('wantTrailers', () => stream.sendTrailers(statusTrailers(error)));
    stream.end();
  }
  // what the client still sends is not wanted
  stream.resume();
}

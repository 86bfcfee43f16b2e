// The client's side of gRPC on a connection that is there already: the engine asks a build's client for files and secrets.

import http2 from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Message } from '../proto/message.ts';
import { endWithPeer, GRPC_LIMITS, MessageSplitter, writeMessage } from './framing.ts';
import { Code, decodeMessage, GrpcError } from './status.ts';

export type Metadata = Readonly<Record<string, string | string[]>>;

/** A call in which both sides send messages. */
export interface ClientStream {
  /** Resolves when more may be sent. Throws GrpcError when the call has ended. */
  send(message: Uint8Array): Promise<void>;
  closeSend(): void;
  /** What the peer sends; reading slowly slows it down. Throws GrpcError when it ends the call with one. */
  readonly messages: AsyncGenerator<Buffer>;
  /** ends the call, whatever is under way */
  cancel(): void;
}

/** Asks the peer of one connection. */
export class GrpcClient {
  readonly #session: http2.ClientHttp2Session;
  readonly #closed: Promise<void>;

  constructor(socket: Duplex) {
    this.#session = http2.connect('http://localhost', {
      createConnection: () => socket,
      maxSessionMemory: GRPC_LIMITS.connectionMemory,
      maxSendHeaderBlockLength: GRPC_LIMITS.headers,
      settings: {
        enablePush: false,
        maxHeaderListSize: GRPC_LIMITS.headers,
        initialWindowSize: GRPC_LIMITS.streamWindow,
      },
    });
    endWithPeer(socket);
    socket.once('close', () => this.#session.destroy());
    this.#session.on('error', () => this.#session.destroy());
    this.#session.once('connect', () => this.#session.setLocalWindowSize(GRPC_LIMITS.connectionWindow));
    this.#closed = new Promise((resolve) => this.#session.once('close', () => resolve()));
  }

  get isClosed(): boolean {
    return this.#session.closed || this.#session.destroyed;
  }

  /** Resolves when the connection has ended. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  close(): void {
    this.#session.destroy();
  }

  /** One question, one answer. Throws GrpcError. */
  async ask<Q, A>(
    path: string,
    question: Message<Q>,
    answer: Message<A>,
    request: Partial<Q>,
    options: { metadata?: Metadata; signal?: AbortSignal; timeout?: number } = {},
  ): Promise<A> {
    const limit = AbortSignal.timeout(options.timeout ?? GRPC_LIMITS.unaryTimeout);
    const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;
    const stream = this.open(path, options.metadata ?? {}, signal);
    await stream.send(question.encode(request));
    stream.closeSend();
    let found: A | undefined;
    for await (const bytes of stream.messages) found = decodeAnswer(answer, bytes);
    if (found === undefined) throw new GrpcError(Code.INTERNAL, 'the client did not answer');
    return found;
  }

  /** A call that goes on until one side ends it. */
  open(path: string, metadata: Metadata, signal: AbortSignal): ClientStream {
    if (this.isClosed) throw new GrpcError(Code.UNAVAILABLE, 'no active session: the client is gone');
    signal.throwIfAborted();
    const stream = this.#session.request({
      ...metadata,
      ':method': 'POST',
      ':path': path,
      ':scheme': 'http',
      ':authority': 'localhost',
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'berth',
    });
    return new OpenCall(stream, signal);
  }
}

class OpenCall implements ClientStream {
  readonly messages: AsyncGenerator<Buffer>;
  readonly #stream: http2.ClientHttp2Stream;
  readonly #signal: AbortSignal;
  #outcome: GrpcError | undefined;
  #hasStatus = false;

  constructor(stream: http2.ClientHttp2Stream, signal: AbortSignal) {
    this.#stream = stream;
    this.#signal = signal;
    stream.on('error', (error) => {
      this.#outcome ??= new GrpcError(Code.UNAVAILABLE, error.message, [], { cause: error });
    });
    stream.once('response', (headers) => {
      if (headers[':status'] !== 200) {
        this.#settle(
          new GrpcError(Code.UNAVAILABLE, `the client answered with status ${headers[':status']}`),
        );
      } else if (headers['grpc-status'] !== undefined) this.#settle(statusOf(headers));
    });
    stream.once('trailers', (trailers) => this.#settle(statusOf(trailers)));
    const abort = () => this.cancel();
    signal.addEventListener('abort', abort, { once: true });
    stream.once('close', () => signal.removeEventListener('abort', abort));
    this.messages = this.#read();
  }

  #settle(outcome: GrpcError | undefined): void {
    if (this.#hasStatus) return;
    this.#hasStatus = true;
    this.#outcome = outcome;
  }

  cancel(): void {
    this.#stream.close(http2.constants.NGHTTP2_CANCEL);
  }

  closeSend(): void {
    if (!this.#stream.destroyed && !this.#stream.writableEnded) this.#stream.end();
  }

  async send(message: Uint8Array): Promise<void> {
    const stream = this.#stream;
    if (stream.destroyed || stream.writableEnded) throw this.#failure();
    await writeMessage(stream, message);
    if (stream.destroyed && this.#outcome) throw this.#failure();
  }

  #failure(): Error {
    if (this.#signal.aborted && this.#signal.reason instanceof Error) return this.#signal.reason;
    return this.#outcome ?? new GrpcError(Code.UNAVAILABLE, 'the call has ended');
  }

  async *#read(): AsyncGenerator<Buffer> {
    const splitter = new MessageSplitter();
    const closed = new Promise<void>((resolve) => this.#stream.once('close', () => resolve()));
    try {
      for await (const chunk of this.#stream) yield* splitter.push(chunk);
    } catch (error) {
      if (error instanceof GrpcError) throw error;
      await closed;
      throw this.#signal.aborted || this.#outcome ? this.#failure() : error;
    } finally {
      if (!this.#stream.destroyed && !this.#stream.readableEnded) this.cancel();
    }
    // the end of the data comes before the trailers do
    if (!this.#hasStatus && !this.#stream.destroyed) {
      await Promise.race([closed, new Promise((resolve) => this.#stream.once('trailers', resolve))]);
    }
    if (this.#signal.aborted) throw this.#failure();
    if (this.#outcome) throw this.#outcome;
    if (!this.#hasStatus) throw new GrpcError(Code.UNAVAILABLE, 'the client is gone');
  }
}

function statusOf(headers: http2.IncomingHttpHeaders): GrpcError | undefined {
  const code = Number(headers['grpc-status'] ?? Code.UNKNOWN);
  if (code === Code.OK) return undefined;
  const message = headers['grpc-message'];
  return new GrpcError(
    Number.isInteger(code) ? code : Code.UNKNOWN,
    decodeMessage(typeof message === 'string' ? message : '').slice(0, 4000),
  );
}

function decodeAnswer<A>(answer: Message<A>, bytes: Buffer): A {
  try {
    return answer.decode(bytes);
  } catch (error) {
    throw new GrpcError(Code.INTERNAL, 'the answer of the client is no message', [], { cause: error });
  }
}

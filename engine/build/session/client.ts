// A build's client that is asked through its session: BuildKit's way.

import { Duplex } from 'node:stream';
import { InvalidParameter } from '../../errors.ts';
import type { BuildClient, ContextRequest, ContextSnapshot } from '../context.ts';
import type { ContextStore } from '../contexts/store.ts';
import { BuildError } from '../error.ts';
import type { ClientStream } from '../grpc/client.ts';
import { Code, GrpcError } from '../grpc/status.ts';
import {
  BytesMessage,
  CheckAgentRequest,
  CheckAgentResponse,
  CredentialsRequest,
  CredentialsResponse,
  GetSecretRequest,
  GetSecretResponse,
  SESSION_METHOD,
} from './messages.ts';
import { RemoteFiles } from './remote-files.ts';
import type { Session } from './sessions.ts';
import { findFile, syncFiles } from './sync.ts';

/** bytes; BuildKit's clients refuse larger secrets themselves */
const MAX_SECRET = 500 * 1024;
const PROGRESS_INTERVAL = 150;

/** Codes that mean that the client has no such thing, or no such service. */
const ABSENT: readonly number[] = [Code.NOT_FOUND, Code.UNIMPLEMENTED];

/** Files of one session's folders, its secrets and its keys. */
export class SessionClient implements BuildClient {
  readonly #session: (signal: AbortSignal) => Promise<Session>;
  readonly #store: ContextStore;
  readonly #signal: AbortSignal;
  /** small files that were read, by folder and path */
  readonly #read = new Map<string, Promise<Buffer | undefined>>();

  /**
   * @param session the session, once it is there
   * @param signal of the build: ends everything
   */
  constructor(session: (signal: AbortSignal) => Promise<Session>, store: ContextStore, signal: AbortSignal) {
    this.#session = session;
    this.#store = store;
    this.#signal = signal;
  }

  async fetchContext(request: ContextRequest): Promise<ContextSnapshot> {
    const signal = AbortSignal.any([request.signal, this.#signal]);
    const session = await this.#session(signal);
    const key = session.sharedKey === '' ? '' : `${session.sharedKey}:${request.name}`;
    const context = await this.#store.take(key, request.name);
    let files: RemoteFiles | undefined;
    const started = nanos();
    const report = (completed?: bigint) => {
      const about = { id: `transferring ${request.name}:`, current: files?.received ?? 0, total: 0, started };
      request.onProgress(completed === undefined ? about : { ...about, completed });
    };
    const timer = setInterval(report, PROGRESS_INTERVAL);
    try {
      files = RemoteFiles.open(
        session.client,
        {
          name: request.name,
          followPaths: request.includePatterns,
          excludePatterns: request.excludePatterns,
        },
        signal,
      );
      await syncFiles(this.#store, context, files, signal);
      report(nanos());
      return this.#store.snapshot(context);
    } catch (error) {
      files?.cancel();
      context.isWhole = false;
      await this.#store.giveBack(context);
      throw inWords(error, request.name);
    } finally {
      clearInterval(timer);
    }
  }

  readFile(contextName: string, path: string, limit: number): Promise<Buffer | undefined> {
    const key = `${contextName}\0${path}`;
    const known = this.#read.get(key);
    if (known) return known;
    // a Dockerfile may have a .dockerignore of its own, which is asked for next: one walk of the folder for both
    const paths = path.endsWith('.dockerignore') ? [path] : [path, `${path}.dockerignore`];
    const reading = this.#readFiles(contextName, paths, limit);
    for (const [index, each] of paths.entries()) {
      const one = reading.then((files) => files[index]);
      one.catch(() => undefined);
      this.#read.set(`${contextName}\0${each}`, one);
    }
    return reading.then((files) => files[0]);
  }

  async #readFiles(name: string, paths: readonly string[], limit: number): Promise<(Buffer | undefined)[]> {
    const session = await this.#session(this.#signal);
    const files = RemoteFiles.open(
      session.client,
      { name, followPaths: paths, excludePatterns: [] },
      this.#signal,
    );
    try {
      const listed = await files.list();
      const found = paths.map((path) => findFile(listed, path));
      const wanted = listed.filter((entry) => found.includes(entry));
      const contents = new Map<unknown, Buffer>();
      for (const { size, path } of wanted) {
        if (size > limit) throw new InvalidParameter(`${path} is larger than ${limit} bytes`);
      }
      for await (const { entry, body } of files.contents(wanted)) {
        const chunks: Buffer[] = [];
        for await (const chunk of body) chunks.push(chunk);
        contents.set(entry, Buffer.concat(chunks));
      }
      await files.finish();
      return found.map((entry) => contents.get(entry));
    } catch (error) {
      files.cancel();
      throw inWords(error, name);
    }
  }

  async secret(id: string, signal: AbortSignal): Promise<Buffer | undefined> {
    const session = await this.#session(signal);
    const options = { signal: AbortSignal.any([signal, this.#signal]) };
    const answer = await session.client
      .ask(SESSION_METHOD.getSecret, GetSecretRequest, GetSecretResponse, { id }, options)
      .catch(absent);
    if (answer && answer.data.length > MAX_SECRET) {
      throw new BuildError(`invalid secret size ${answer.data.length} for ${id}`);
    }
    return answer?.data;
  }

  async credentials(
    host: string,
    signal: AbortSignal,
  ): Promise<{ username: string; secret: string } | undefined> {
    const session = await this.#session(signal);
    const options = { signal: AbortSignal.any([signal, this.#signal]) };
    const answer = await session.client
      .ask(SESSION_METHOD.credentials, CredentialsRequest, CredentialsResponse, { host }, options)
      .catch(absent);
    return answer && (answer.username !== '' || answer.secret !== '') ? answer : undefined;
  }

  async ssh(id: string, signal: AbortSignal): Promise<NodeJS.ReadWriteStream | undefined> {
    const session = await this.#session(signal);
    const both = AbortSignal.any([signal, this.#signal]);
    try {
      await session.client.ask(
        SESSION_METHOD.checkAgent,
        CheckAgentRequest,
        CheckAgentResponse,
        { id },
        { signal: both },
      );
    } catch (error) {
      // a client without that key says so with whatever code its error has
      if (error instanceof GrpcError && error.code !== Code.UNAVAILABLE) return undefined;
      throw error;
    }
    const metadata = id === '' ? {} : { 'buildkit.ssh.id': id };
    return byteStream(session.client.open(SESSION_METHOD.forwardAgent, metadata, both));
  }
}

function absent(error: unknown): undefined {
  if (error instanceof GrpcError && ABSENT.includes(error.code)) return undefined;
  throw error;
}

function inWords(error: unknown, name: string): unknown {
  if (!(error instanceof GrpcError) || !ABSENT.includes(error.code)) return error;
  return new InvalidParameter(`failed to load the context ${name}: ${error.message}`, { cause: error });
}

function nanos(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** A call whose messages are pieces of a byte stream, as a stream. */
function byteStream(call: ClientStream): Duplex {
  return new Duplex({
    read() {
      nextBytes(call).then(
        (bytes) => this.push(bytes),
        (error) => this.destroy(error),
      );
    },
    write(chunk: Buffer, _encoding, callback) {
      call.send(BytesMessage.encode({ data: chunk })).then(() => callback(), callback);
    },
    final(callback) {
      call.closeSend();
      callback();
    },
    destroy(error, callback) {
      call.cancel();
      callback(error);
    },
  });
}

/** What is there next; null at the end. */
async function nextBytes(call: ClientStream): Promise<Buffer | null> {
  for (;;) {
    const { done, value } = await call.messages.next();
    if (done) return null;
    const { data } = BytesMessage.decode(value);
    if (data.length > 0) return data;
  }
}

/** What a client sends for `http://buildkit-session/<id>`: a context on its standard input. */
export async function* pullUpload(session: Session, id: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  const call = session.client.open(
    SESSION_METHOD.pull,
    { urlpath: `/${id}`, urlhost: 'buildkit-session' },
    signal,
  );
  for await (const bytes of call.messages) yield BytesMessage.decode(bytes).data;
}

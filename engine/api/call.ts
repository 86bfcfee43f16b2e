// One request to the Docker Engine API: its parameters, its body, and the ways to answer it.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex, Readable, Writable } from 'node:stream';
import type { z } from 'zod';
import { EngineError, InvalidParameter } from '../errors.ts';
import { isAtLeast } from './version.ts';

/** Bodies are configurations: 1 MiB is far more than any (a seccomp profile is 15 KiB). */
const MAX_BODY = 2 ** 20;

/** A connection that has become a raw stream in both directions. */
export interface RawStream {
  input: Readable;
  output: Writable;
}

/** The other protocol that a client asks for, when it sent `Upgrade:`. */
export interface Upgrade {
  socket: Duplex;
  head: Buffer;
}

/** A request and its response. */
export class Call {
  /** aborted when the client is gone */
  readonly signal: AbortSignal;
  readonly #gone = new AbortController();

  constructor(
    readonly req: IncomingMessage,
    readonly res: ServerResponse,
    readonly params: Readonly<Record<string, string>>,
    readonly query: URLSearchParams,
    readonly version: string,
    readonly upgrade?: Upgrade,
  ) {
    this.signal = this.#gone.signal;
    const leave = () => this.#gone.abort(new EngineError(499, 'the client is gone'));
    res.once('close', leave);
    upgrade?.socket.once('close', leave);
  }

  param(name: string): string {
    return this.params[name] ?? '';
  }

  /** A query parameter, '' when absent. */
  text(name: string): string {
    return this.query.get(name) ?? '';
  }

  /** A header, '' when absent; of several the first. */
  header(name: string): string {
    const value = this.req.headers[name];
    return (Array.isArray(value) ? value[0] : value) ?? '';
  }

  /** As Docker reads booleans: anything but '', 0, no, false and none is true. */
  flag(name: string, fallback = false): boolean {
    const value = this.query.get(name);
    if (value === null) return fallback;
    return !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase());
  }

  /** A whole number; undefined when absent. Throws InvalidParameter. */
  integer(name: string): number | undefined {
    const value = this.query.get(name);
    if (value === null || value === '') return undefined;
    if (!/^-?\d{1,15}$/.test(value)) {
      throw new InvalidParameter(`strconv.Atoi: parsing "${value.slice(0, 50)}": invalid syntax`);
    }
    return Number(value);
  }

  isAtLeast(version: string): boolean {
    return isAtLeast(this.version, version);
  }

  /** The JSON body by a schema. Throws InvalidParameter in Docker's words. */
  async json<T extends z.ZodType>(schema: T, options: { optional?: boolean } = {}): Promise<z.infer<T>> {
    const bytes = await this.#body();
    if (bytes.length === 0) {
      if (options.optional) return parseBody(schema, {});
      throw new InvalidParameter('invalid JSON: got EOF while reading request body');
    }
    const type = (this.req.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
    if (type !== 'application/json') {
      throw new InvalidParameter(`unsupported Content-Type header (${type}): must be 'application/json'`);
    }
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString('utf8'));
    } catch (error) {
      throw new InvalidParameter(`invalid JSON: ${error instanceof Error ? error.message : 'syntax'}`, {
        cause: error,
      });
    }
    return parseBody(schema, value);
  }

  /** Drops a body that the operation has no use for, or it would be taken for the first of a raw stream's input. */
  async discardBody(): Promise<void> {
    if (Number(this.req.headers['content-length'] ?? 0) > 0) await this.#body();
  }

  send(status: number, value: unknown): void {
    const text = `${JSON.stringify(value)}\n`;
    this.res.writeHead(status, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(text),
    });
    this.res.end(this.req.method === 'HEAD' ? undefined : text);
  }

  empty(status: number): void {
    this.res.writeHead(status, status === 204 || status === 304 ? {} : { 'Content-Length': 0 });
    this.res.end();
  }

  /** Begins an answer that is written bit by bit. */
  stream(status: number, contentType: string): ServerResponse {
    this.res.writeHead(status, { 'Content-Type': contentType });
    this.res.flushHeaders();
    return this.res;
  }

  async #body(): Promise<Buffer> {
    const length = Number(this.req.headers['content-length'] ?? 0);
    if (length > MAX_BODY) throw new EngineError(413, 'the request body is too large');
    return this.upgrade ? this.#upgradedBody(this.upgrade, length) : readAll(this.req);
  }

  /** Node leaves the body of a request with `Upgrade:` in the socket. */
  async #upgradedBody(upgrade: Upgrade, length: number): Promise<Buffer> {
    if (this.req.headers['transfer-encoding'] !== undefined) {
      throw new EngineError(411, 'a request that upgrades its connection needs a Content-Length');
    }
    while (upgrade.head.length < length) {
      upgrade.head = Buffer.concat([upgrade.head, await nextChunk(upgrade.socket)]);
    }
    const body = upgrade.head.subarray(0, length);
    upgrade.head = upgrade.head.subarray(length);
    return body;
  }
}

/** A decoded body, or a part of it, by a schema. Throws InvalidParameter that names the first field that is wrong. */
export function parseBody<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new InvalidParameter(`invalid JSON: ${issue?.path.join('.') || 'body'}: ${issue?.message}`);
}

async function readAll(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of req) {
      size += chunk.length;
      if (size > MAX_BODY) throw new EngineError(413, 'the request body is too large');
      chunks.push(chunk);
    }
  } catch (error) {
    // a client that went away in the middle is no fault of ours
    if (error instanceof EngineError || req.complete) throw error;
    throw new InvalidParameter('invalid JSON: unexpected EOF', { cause: error });
  }
  return Buffer.concat(chunks);
}

function nextChunk(socket: Duplex): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      socket.off('data', onData).off('end', onEnd).off('close', onEnd);
      socket.pause();
      finish();
    };
    const onData = (chunk: Buffer) => settle(() => resolve(chunk));
    const onEnd = () => settle(() => reject(new InvalidParameter('invalid JSON: unexpected EOF')));
    socket.on('data', onData).on('end', onEnd).on('close', onEnd);
    socket.resume();
  });
}

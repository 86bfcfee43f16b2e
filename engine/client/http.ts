// HTTP over a Unix socket: one request and its answer, and connections that are handed over.

import http, { type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { z } from 'zod';

/** An answer of the control API that is not a success; `status` is HTTP's. */
export class ControlError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'ControlError';
  }
}

/** The engine does not answer on its socket. */
export class EngineUnreachable extends Error {
  constructor(socketPath: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`the engine cannot be reached on ${socketPath}: ${reason}`, { cause });
    this.name = 'EngineUnreachable';
  }
}

export interface RequestOptions {
  /** JSON unless it is bytes */
  body?: unknown;
  signal?: AbortSignal | undefined;
}

const ErrorBody = z.object({ message: z.string() });
const MAX_ANSWER = 256 * 2 ** 20;

/** An agent that keeps connections to one socket open between requests. */
export function createAgent(): http.Agent {
  return new http.Agent({ keepAlive: true, maxFreeSockets: 16 });
}

/** Sends a request; resolves with the answer's head. Its body is the caller's to read. */
export function send(
  socketPath: string,
  agent: http.Agent,
  method: string,
  path: string,
  options: RequestOptions = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const isBytes = options.body instanceof Uint8Array;
    const payload = options.body instanceof Uint8Array ? options.body : encode(options.body);
    const request = http.request({
      socketPath,
      agent,
      method,
      path,
      ...(options.signal ? { signal: options.signal } : {}),
      headers: payload
        ? {
            'content-type': isBytes ? 'application/octet-stream' : 'application/json',
            'content-length': payload.length,
          }
        : {},
    });
    request.once('response', resolve);
    request.once('error', (error) => {
      if (options.signal?.aborted) reject(options.signal.reason);
      else if (request.reusedSocket && mayRepeat(method, error)) {
        send(socketPath, agent, method, path, options).then(resolve, reject);
      } else reject(new EngineUnreachable(socketPath, error));
    });
    request.end(payload);
  });
}

/** A kept connection may turn out to be closed just when it is used again: then the request goes out on a new one. */
function mayRepeat(method: string, error: Error): boolean {
  const code = 'code' in error ? error.code : undefined;
  return code === 'EPIPE' || (code === 'ECONNRESET' && method !== 'POST');
}

function encode(body: unknown): Buffer | undefined {
  return body === undefined ? undefined : Buffer.from(JSON.stringify(body), 'utf8');
}

export async function readAll(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue;
    size += chunk.length;
    if (size > MAX_ANSWER) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** JSON of an answer; undefined when it has no body. */
export function parseJson(body: Buffer): unknown {
  return body.length === 0 ? undefined : JSON.parse(body.toString('utf8'));
}

/** Throws ControlError unless the status is a success. */
export async function expectSuccess(response: IncomingMessage): Promise<IncomingMessage> {
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  throw errorOf(status, await readAll(response));
}

function errorOf(status: number, body: Buffer): ControlError {
  const text = body.toString('utf8').trim();
  try {
    return new ControlError(status, ErrorBody.parse(JSON.parse(text)).message);
  } catch {
    return new ControlError(status, text || `the engine answered ${status}`);
  }
}

/** A connection that the engine hands over: raw bytes in both directions. */
export function upgrade(socketPath: string, path: string, signal?: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      socketPath,
      path,
      // a connection of its own, which is never reused
      agent: false,
      headers: { connection: 'Upgrade', upgrade: 'berth-stream' },
      ...(signal ? { signal } : {}),
    });
    request.once('upgrade', (_response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    request.once('response', (response) => {
      readAll(response).then((body) => reject(errorOf(response.statusCode ?? 0, body)), reject);
    });
    request.once('error', (error) => {
      reject(signal?.aborted ? signal.reason : new EngineUnreachable(socketPath, error));
    });
    request.end();
  });
}

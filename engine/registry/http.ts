// One HTTP request to a registry over whatever network reaches it: TLS, time-outs, bounded bodies.

import { once } from 'node:events';
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import tls from 'node:tls';
import { messageOf } from '../errors.ts';
import { NotListed, type RegistryNetwork, Unreachable } from './network.ts';

/** Between two bytes of a body, and from a request to its headers. */
const IDLE_TIMEOUT = 30_000;
/** Slower than this over a whole window is taken for a registry that wants to keep us. */
const SLOW = { window: 60_000, bytes: 16 * 1024 } as const;

export interface RegistryRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  url: URL;
  headers?: Record<string, string>;
  /** bytes are sent with their length, a stream in chunks */
  body?: Uint8Array | AsyncIterable<Uint8Array>;
  signal: AbortSignal;
}

export interface RegistryResponse {
  url: URL;
  status: number;
  headers: IncomingHttpHeaders;
  /** has to be read, or dropped */
  body: AsyncIterable<Uint8Array>;
  drop(): void;
}

/** How a scheme is spoken. */
export interface Speech {
  network: RegistryNetwork;
  /** certificates are not looked at */
  isInsecure: boolean;
}

/** Sends a request. Rejects with Unreachable; any status is an answer. */
export async function send(speech: Speech, request: RegistryRequest): Promise<RegistryResponse> {
  const { url, signal } = request;
  try {
    const socket = await openSocket(speech, url, signal);
    return await exchange(socket, request);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof NotListed) throw error;
    const method = request.method.charAt(0) + request.method.slice(1).toLowerCase();
    throw new Unreachable(`${method} "${showUrl(url)}": ${messageOf(error)}`, { cause: error });
  }
}

/** Without what may be secret: signed addresses carry it in their query. */
export function showUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

async function openSocket({ network, isInsecure }: Speech, url: URL, signal: AbortSignal): Promise<Duplex> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const socket = await network.connect(host, portOf(url), signal);
  if (url.protocol !== 'https:') return socket;
  try {
    const extra = isInsecure ? '' : await network.authorities(url.host);
    return await startTls(socket, host, extra, isInsecure, signal);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function startTls(
  socket: Duplex,
  host: string,
  extra: string,
  isInsecure: boolean,
  signal: AbortSignal,
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const isName = !/^[\d.]+$|:/.test(host);
    const secure = tls.connect({
      socket,
      host,
      ...(isName ? { servername: host } : {}),
      rejectUnauthorized: !isInsecure,
      ...(extra === '' ? {} : { ca: [...tls.rootCertificates, extra] }),
      ALPNProtocols: ['http/1.1'],
    });
    const fail = (error: Error) => {
      settle();
      secure.destroy();
      reject(new Error(tlsMessage(error)));
    };
    const onAbort = () => fail(new Error('canceled'));
    const onClose = () => fail(new Error('EOF'));
    const timer = setTimeout(() => fail(new Error('net/http: TLS handshake timeout')), IDLE_TIMEOUT / 3);
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      secure.off('close', onClose);
    };
    secure.once('secureConnect', () => {
      settle();
      resolve(secure);
    });
    secure.on('error', fail);
    secure.once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** In the words of Docker's TLS, which students look up. */
function tlsMessage(error: Error): string {
  const code = 'code' in error ? String(error.code) : '';
  if (/WRONG_VERSION|PACKET_LENGTH|HTTP_REQUEST/.test(code)) {
    return 'http: server gave HTTP response to HTTPS client';
  }
  if (/SELF_SIGNED|UNABLE_TO_(GET_ISSUER|VERIFY)|CERT_UNTRUSTED/.test(code)) {
    return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
  }
  if (code === 'CERT_HAS_EXPIRED') return 'tls: failed to verify certificate: x509: certificate has expired';
  if (code.startsWith('ERR_TLS_CERT_ALTNAME'))
    return `tls: failed to verify certificate: x509: ${error.message}`;
  return error.message;
}

function exchange(socket: Duplex, request: RegistryRequest): Promise<RegistryResponse> {
  const { url, method, body, signal } = request;
  const isWhole = body instanceof Uint8Array;
  return new Promise((resolve, reject) => {
    const req = http.request({
      method,
      host: url.hostname,
      path: `${url.pathname}${url.search}`,
      headers: {
        Host: url.host,
        'User-Agent': 'docker/27.0 berth',
        ...(isWhole ? { 'Content-Length': String(body.length) } : {}),
        ...(body !== undefined && !isWhole ? { 'Transfer-Encoding': 'chunked' } : {}),
        ...(body === undefined && method !== 'GET' && method !== 'HEAD' ? { 'Content-Length': '0' } : {}),
        ...request.headers,
      },
      createConnection: () => socket,
    });
    const onAbort = () => req.destroy(new Error('canceled'));
    signal.addEventListener('abort', onAbort, { once: true });
    req.once('close', () => signal.removeEventListener('abort', onAbort));
    // from the end of what is sent to the headers
    const wait = () =>
      setTimeout(() => req.destroy(new Error('net/http: timeout awaiting response headers')), IDLE_TIMEOUT);
    let timer: NodeJS.Timeout | undefined;
    req.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    req.once('response', (res) => {
      clearTimeout(timer);
      res.once('close', () => socket.destroy());
      resolve({
        url,
        status: res.statusCode ?? 0,
        headers: res.headers,
        body: timedBody(res),
        drop: () => {
          res.on('error', () => undefined);
          res.destroy();
          socket.destroy();
        },
      });
    });
    if (body === undefined || isWhole) {
      timer = wait();
      req.end(body);
      return;
    }
    sendStream(req, body).then(
      () => {
        timer = wait();
      },
      (error: unknown) => req.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  });
}

/** Writes as fast as the registry takes it; one that answers before the end (an error) is not sent the rest. */
async function sendStream(req: http.ClientRequest, body: AsyncIterable<Uint8Array>): Promise<void> {
  let isOver = false;
  const over = new Promise<void>((resolve) => {
    const end = () => {
      isOver = true;
      resolve();
    };
    req.once('response', end);
    req.once('close', end);
  });
  for await (const chunk of body) {
    if (isOver) return;
    if (req.write(chunk)) continue;
    const timer = setTimeout(() => req.destroy(new Error('write: i/o timeout')), IDLE_TIMEOUT);
    await Promise.race([once(req, 'drain').catch(() => undefined), over]);
    clearTimeout(timer);
  }
  req.end();
}

/** Ends with an error when nothing comes for a while, or next to nothing for a longer one. */
async function* timedBody(res: IncomingMessage): AsyncGenerator<Uint8Array> {
  const chunks: AsyncIterator<unknown> = (res satisfies Readable)[Symbol.asyncIterator]();
  // only the time that we wait for the registry counts, not that in which nobody reads
  let waited = 0;
  let received = 0;
  try {
    for (;;) {
      const timer = setTimeout(() => res.destroy(new Error('read: i/o timeout')), IDLE_TIMEOUT);
      const asked = Date.now();
      const { done, value } = await chunks.next().finally(() => clearTimeout(timer));
      if (done === true) return;
      if (!(value instanceof Uint8Array)) continue;
      waited += Date.now() - asked;
      received += value.length;
      if (waited > SLOW.window) {
        if (received < SLOW.bytes) throw new Error('read: the registry is too slow');
        waited = 0;
        received = 0;
      }
      yield value;
    }
  } finally {
    res.destroy();
  }
}

/** A whole body of at most `limit` bytes; undefined when it is longer. */
export async function readBody(response: RegistryResponse, limit: number): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body) {
      size += chunk.length;
      if (size > limit) return undefined;
      chunks.push(chunk);
    }
  } finally {
    response.drop();
  }
  return Buffer.concat(chunks);
}

// Ports of a lab host in the browser: each has a host name, hence an origin, of its own; connections are made inside the lab host.

import http, { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ControlClient } from '../../engine/client/client.ts';
import { ControlError } from '../../engine/client/http.ts';
import { isAway, messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { sandboxOf } from '../session/places.ts';
import { type Places, requestHeaders, responseHeaders } from './headers.ts';
import { type PreviewMessage, sendMessage } from './message.ts';

/** Milliseconds. */
const DIAL_TIMEOUT = 5000;
/** Milliseconds without a byte; long, for servers that send events. */
const IDLE_TIMEOUT = 15 * 60_000;
/** Connections into one lab host at a time. */
const MAX_CONNECTIONS = 128;

export interface PreviewTarget {
  session: string;
  port: number;
  places: Places;
}

/** Proxies HTTP and websockets into lab hosts. */
export class PreviewProxy {
  readonly #engine: ControlClient;
  readonly #hasSession: (id: string) => boolean;
  readonly #log: Logger;
  readonly #connections = new Map<string, number>();

  constructor(engine: ControlClient, hasSession: (id: string) => boolean, log: Logger) {
    this.#engine = engine;
    this.#hasSession = hasSession;
    this.#log = log;
  }

  /** Passes a request on, or answers it with a page that says what is missing. */
  async serve(request: IncomingMessage, response: ServerResponse, target: PreviewTarget): Promise<void> {
    try {
      const connection = await this.#dial(target);
      await passOn(request, response, connection, target.places);
    } catch (error) {
      if (response.destroyed) return;
      this.#log.debug({ session: target.session, port: target.port, reason: messageOf(error) }, 'no preview');
      sendMessage(response, explain(error, target));
    }
  }

  /** Passes a websocket (or any other upgrade) on. */
  async upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    target: PreviewTarget,
  ): Promise<void> {
    socket.on('error', () => socket.destroy());
    try {
      const connection = await this.#dial(target);
      socket.once('close', () => connection.destroy());
      await passUpgrade(request, socket, head, connection, target.places);
    } catch (error) {
      this.#log.debug({ session: target.session, port: target.port, reason: messageOf(error) }, 'no upgrade');
      socket.end('HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    }
  }

  async #dial({ session, port }: PreviewTarget): Promise<Duplex> {
    if (!this.#hasSession(session)) throw new NoPreview('session');
    const count = this.#connections.get(session) ?? 0;
    if (count >= MAX_CONNECTIONS) throw new NoPreview('busy');
    this.#connections.set(session, count + 1);
    const release = () => {
      const left = (this.#connections.get(session) ?? 1) - 1;
      if (left > 0) this.#connections.set(session, left);
      else this.#connections.delete(session);
    };
    try {
      const connection = await this.#engine.dial(sandboxOf(session), port, {
        signal: AbortSignal.timeout(DIAL_TIMEOUT),
      });
      connection.once('close', release);
      return connection;
    } catch (error) {
      release();
      throw error;
    }
  }
}

class NoPreview extends Error {
  constructor(readonly reason: 'session' | 'busy') {
    super(reason);
  }
}

/** Node wants the connection's own methods for sockets; a Duplex has what it needs. */
function open(
  request: IncomingMessage,
  connection: Duplex,
  headers: OutgoingHttpHeaders,
): http.ClientRequest {
  return http.request({
    createConnection: () => connection,
    method: request.method ?? 'GET',
    path: request.url ?? '/',
    headers,
    setHost: false,
  });
}

async function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  connection: Duplex,
  places: Places,
): Promise<void> {
  const headers = { ...requestHeaders(request.headers, places), connection: 'close' };
  const onward = open(request, connection, headers);
  onward.setTimeout(IDLE_TIMEOUT, () => onward.destroy(new Error('nothing came for a long time')));
  response.once('close', () => onward.destroy());
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    onward.once('response', resolve);
    onward.once('error', reject);
  });
  // a server may answer before it has read all; then the answer counts, not the broken upload
  pipeline(request, onward).catch(() => undefined);
  const answer = await answered;
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage, responseHeaders(answer.headers, places));
  await pipeline(answer, response);
}

async function passUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  connection: Duplex,
  places: Places,
): Promise<void> {
  const { upgrade } = request.headers;
  const onward = open(request, connection, {
    ...requestHeaders(request.headers, places),
    connection: 'Upgrade',
    upgrade,
  });
  const inner = await new Promise<Duplex>((resolve, reject) => {
    onward.once('error', reject);
    onward.once('response', (answer) => {
      answer.resume();
      reject(new Error(`the program answered ${answer.statusCode} to an upgrade`));
    });
    onward.once('upgrade', (answer, opened, innerHead) => {
      socket.write(upgradeAnswer(answer, places));
      if (innerHead.length > 0) opened.unshift(innerHead);
      resolve(opened);
    });
    onward.end();
  });
  if (head.length > 0) inner.write(head);
  await Promise.all([pipeline(socket, inner), pipeline(inner, socket)]).catch(() => {
    inner.destroy();
    socket.destroy();
  });
}

function upgradeAnswer(answer: IncomingMessage, places: Places): string {
  const headers = {
    ...responseHeaders(answer.headers, places),
    connection: 'Upgrade',
    upgrade: answer.headers.upgrade,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((each) => `${name}: ${each}`),
  );
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** What to tell the student instead of a page. */
function explain(error: unknown, { port }: PreviewTarget): PreviewMessage {
  if (error instanceof NoPreview) {
    return error.reason === 'session'
      ? {
          status: 404,
          title: 'No such lesson',
          text: 'This address names a lesson that Berth does not have.',
        }
      : {
          status: 503,
          title: 'Too many connections',
          text: 'Close some pages of this lab host, then reload.',
          retry: true,
        };
  }
  if (isAway(error)) {
    return {
      status: 503,
      title: 'The engine is away',
      text: 'Berth’s engine does not answer right now. It is usually back within seconds.',
      retry: true,
    };
  }
  if (error instanceof ControlError && error.status === 404) {
    return {
      status: 404,
      title: 'No lab host yet',
      text: 'Open the lesson first: that makes the lab host whose ports can be shown here.',
      retry: true,
    };
  }
  if (error instanceof ControlError || isTimeout(error)) {
    return {
      status: 502,
      title: `Nothing listens on port ${port} yet`,
      text: `No program in your lab host takes connections on port ${port}. Start one and publish the port, for example with:`,
      command: `docker run -d -p ${port}:80 nginx`,
      retry: true,
    };
  }
  return {
    status: 502,
    title: `Port ${port} gave no answer`,
    text: `A program took the connection on port ${port} and did not answer as a web server does. Its log may say more: docker logs, then the container’s name.`,
  };
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}

// From an HTTP request to its handler: version, route, errors. One for each sandbox.

import { type IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { InvalidParameter, NotFound } from '../errors.ts';
import type { Logger } from '../log.ts';
import { Call, type Upgrade } from './call.ts';
import { sendError } from './errors.ts';
import type { Router } from './router.ts';
import { API_VERSION, COMMON_HEADERS, checkVersion } from './version.ts';

/** Answers the requests of one Docker socket. */
export class ApiServer {
  constructor(
    private readonly router: Router,
    private readonly log: Logger,
  ) {}

  handle(req: IncomingMessage, res: ServerResponse): void {
    this.answer(req, res, undefined);
  }

  /** A request with `Upgrade:`. Its handler takes the socket over, or answers as usual and the connection ends. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    // The client may go at any time; what writes to the socket looks at its state.
    socket.on('error', () => undefined);
    if (socket instanceof Socket) this.answer(req, responseOn(req, socket), { socket, head });
    else socket.destroy();
  }

  private answer(req: IncomingMessage, res: ServerResponse, upgrade: Upgrade | undefined): void {
    this.dispatch(req, res, upgrade).catch((error) => {
      if (upgrade?.socket.writable && !res.headersSent) return sendError(res, error, this.log);
      if (upgrade) {
        this.log.warn({ err: error }, 'a raw stream failed');
        upgrade.socket.destroy();
        return;
      }
      sendError(res, error, this.log);
    });
  }

  private async dispatch(
    req: IncomingMessage,
    res: ServerResponse,
    upgrade: Upgrade | undefined,
  ): Promise<void> {
    const target = req.url ?? '/';
    if (!URL.canParse(target, 'http://docker')) throw new InvalidParameter('the address is not valid');
    const url = new URL(target, 'http://docker');
    const [, version, rest] = /^\/v(\d+\.\d+)(\/.*)$/.exec(url.pathname) ?? [
      undefined,
      API_VERSION,
      url.pathname,
    ];
    const match = this.router.match(req.method ?? 'GET', rest ?? '/');
    if (!match) throw new NotFound('page not found');
    checkVersion(version ?? API_VERSION);
    for (const [name, value] of Object.entries(COMMON_HEADERS)) res.setHeader(name, value);
    const call = new Call(req, res, match.params, url.searchParams, version ?? API_VERSION, upgrade);
    await match.handler(call);
  }
}

/** An ordinary answer on a connection that asked to be upgraded: it ends the connection. */
function responseOn(req: IncomingMessage, socket: Socket): ServerResponse {
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  res.assignSocket(socket);
  res.once('finish', () => {
    // What the client still sends is read and dropped, or its reset would overtake the answer.
    socket.resume();
    socket.once('end', () => socket.destroy());
    socket.end();
  });
  return res;
}

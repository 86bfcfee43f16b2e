// The HTTP server: every request and upgrade is sorted by its Host header before anything else looks at it.

import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ControlClient } from '../../engine/client/client.ts';
import type { LabShelf } from '../lab/shelf.ts';
import { createWebSocketServer } from '../live/sockets.ts';
import type { Logger } from '../log.ts';
import { PreviewProxy, type PreviewTarget } from '../preview/preview.ts';
import { type HostNames, previewHost, targetOf } from '../security/hosts.ts';
import type { SessionBook } from '../session/book.ts';
import { createApp } from './app.ts';
import { refuse } from './refuse.ts';
import { createUpgrade } from './upgrade.ts';

export interface ServerParts {
  host: string;
  port: number;
  previewDomain: string;
  webDir: string;
  engine: ControlClient;
  shelf: LabShelf;
  sessions: SessionBook;
  log: Logger;
}

/** A server that listens. */
export interface RunningServer {
  port: number;
  url: string;
  close(): Promise<void>;
}

/** Listens; rejects when the port is taken. */
export async function listen(parts: ServerParts): Promise<RunningServer> {
  const server = http.createServer({ headersTimeout: 20_000, requestTimeout: 0 });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(parts.port, parts.host, resolve);
  });
  const port = portOf(server.address());
  const close = serve(server, { ...parts, port });
  return { port, url: `http://localhost:${port}/`, close };
}

function serve(server: http.Server, parts: ServerParts): () => Promise<void> {
  const { shelf, engine, log } = parts;
  const names: HostNames = { port: parts.port, previewDomain: parts.previewDomain };
  const sockets = createWebSocketServer();
  const previews = new PreviewProxy(engine, (id) => shelf.get(id) !== undefined, log);
  const app = createApp({ ...parts, previewHost: (session, port) => previewHost(session, port, names) });
  const upgrade = createUpgrade({ ...parts, sockets });

  server.on('request', (request, response) => {
    const target = targetOf(request.headers.host, names);
    if (!target) {
      response.writeHead(421, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' });
      return response.end(`Berth is at http://localhost:${names.port}/ only.\n`);
    }
    if (target.kind === 'app') return app(request, response);
    previews.serve(request, response, withPlaces(target, names)).catch(() => response.destroy());
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const target = targetOf(request.headers.host, names);
    if (!target) return refuse(socket, 421);
    if (target.kind === 'app') return upgrade(request, socket, head);
    previews.upgrade(request, socket, head, withPlaces(target, names)).catch(() => socket.destroy());
  });

  return async () => {
    for (const socket of sockets.clients) socket.close(1012, 'the server restarts');
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    // pages that do not answer the closing, previews that stream
    setTimeout(() => {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
    }, 300).unref();
    await closed;
  };
}

function withPlaces(target: { session: string; port: number }, names: HostNames): PreviewTarget {
  const { session, port } = target;
  return {
    session,
    port,
    places: { outside: `http://${previewHost(session, port, names)}`, inside: `http://localhost:${port}` },
  };
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

// The control API on its Unix socket: finds the route, runs it, and turns whatever is thrown into an answer.

import { chmod, chown, mkdir } from 'node:fs/promises';
import http, { type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { EngineError, InvalidParameter } from '../errors.ts';
import { ANSWERED, findRoute, parseTarget, refuseUpgrade, sendError, sendJson } from './http.ts';
import { type ControlParts, controlRoutes, controlStreams } from './routes.ts';
import { createStreamServer, listen } from './tenant.ts';

/** The control socket's path below BERTH_RUN. */
export function controlSocketPath(runDir: string): string {
  return path.join(runDir, 'control.sock');
}

/** Builds the server; it listens nowhere yet. */
export function createControlServer(parts: ControlParts): Server {
  const routes = controlRoutes(parts);
  const streams = controlStreams(parts);
  const server = createStreamServer();
  const { log } = parts;

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { path: target, query } = parseTarget(request);
    const { route, params } = findRoute(routes, request.method ?? 'GET', target);
    const value = await route.handle({ request, params, query }, response);
    if (value === ANSWERED) return;
    if (value === undefined) response.writeHead(204).end();
    else sendJson(response, 200, value);
  };

  const handOver = async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const { path: target, query, search } = parseTarget(request);
    const docker = /^\/v1\/sandboxes\/([^/]+)\/docker(\/.*)$/.exec(target);
    if (docker?.[1] && docker[2]) {
      const sandbox = await parts.manager.use(decodeURIComponent(docker[1]));
      request.url = docker[2] + search;
      parts.tenants.of(sandbox).upgrade(request, socket, head);
      return;
    }
    if (request.headers.upgrade !== 'berth-stream')
      throw new InvalidParameter('upgrade to berth-stream is possible only');
    const { route, params } = findRoute(streams, 'GET', target);
    const take = await route.open({ request, params, query });
    take(socket, head);
  };

  server.on('request', (request, response) => {
    answer(request, response).catch((error) => {
      logFailure(error, request);
      sendError(response, error);
    });
  });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    handOver(request, socket, head).catch((error) => {
      logFailure(error, request);
      refuseUpgrade(socket, error);
    });
  });

  function logFailure(error: unknown, request: IncomingMessage): void {
    // everything else is an answer: a wrong request, or a sandbox that is not reachable now
    if (error instanceof EngineError && error.status !== 500) return;
    log.error(
      { err: error, method: request.method, path: parseTarget(request).path },
      'control request failed',
    );
  }

  return server;
}

/** Listens on the control socket, open to root and one group. Throws when another engine answers there. */
export async function listenControl(
  server: Server,
  socketPath: string,
  gid: number | undefined,
): Promise<void> {
  await mkdir(path.dirname(socketPath), { recursive: true, mode: 0o755 });
  if (await isAnswering(socketPath))
    throw new Error(`another engine is answering on ${socketPath}: stop it first`);
  await listen(server, socketPath);
  if (gid !== undefined) await chown(socketPath, 0, gid);
  await chmod(socketPath, 0o660);
}

/** Does an engine answer there? */
export function isAnswering(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get({ socketPath, path: '/v1/health', timeout: 2000 }, (response) => {
      response.resume();
      resolve(true);
    });
    request.once('timeout', () => {
      // something holds the socket, even though it is slow
      resolve(true);
      request.destroy();
    });
    request.once('error', () => resolve(false));
  });
}

// The Docker daemon of one sandbox as the control API and its socket see it, and who has which.

import { chmod, chown, rm } from 'node:fs/promises';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { BuildActivity } from '../client/build-events.ts';
import type { DockerEvent } from '../client/types.ts';
import { Unavailable } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { LabHost } from '../sandbox/lab-host.ts';
import { refuseUpgrade, sendError } from './http.ts';

/** One sandbox's daemon. */
export interface Tenant {
  handle(request: IncomingMessage, response: ServerResponse): void;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  readonly events: { subscribe(listener: (event: DockerEvent) => void): () => void };
  /** builds from now on; `onEnd` is called when the daemon goes */
  readonly builds: {
    subscribe(listener: (event: BuildActivity) => void, onEnd: () => void): () => void;
  };
  dispose(): Promise<void>;
}

/** Connections that one sandbox may hold open, so that it cannot use up the engine's descriptors. */
const MAX_CONNECTIONS = 512;

/** The daemons of all running sandboxes, each listening on its sandbox's Docker socket. */
export class Tenants {
  readonly #make: (sandbox: LabHost) => Promise<Tenant>;
  readonly #dockerGid: number;
  readonly #log: Logger;
  readonly #open = new Map<string, { tenant: Tenant; server: http.Server }>();

  /** @param dockerGid the group `docker` in the host image */
  constructor(make: (sandbox: LabHost) => Promise<Tenant>, dockerGid: number, log: Logger) {
    this.#make = make;
    this.#dockerGid = dockerGid;
    this.#log = log;
  }

  /** The daemon of a sandbox; Unavailable while there is none. */
  of(sandbox: LabHost): Tenant {
    const tenant = this.#open.get(sandbox.id)?.tenant;
    if (!tenant) throw new Unavailable(`the Docker daemon of sandbox ${sandbox.name} is not running`);
    if (sandbox.state === 'frozen') throw new Unavailable(`sandbox ${sandbox.name} is frozen`);
    return tenant;
  }

  async open(sandbox: LabHost): Promise<void> {
    await this.close(sandbox);
    const tenant = await this.#make(sandbox);
    try {
      this.#open.set(sandbox.id, { tenant, server: await this.#listen(sandbox) });
    } catch (error) {
      await tenant.dispose();
      throw error;
    }
  }

  async #listen(sandbox: LabHost): Promise<http.Server> {
    const server = createStreamServer();
    server.maxConnections = MAX_CONNECTIONS;
    const busy = new WeakSet<Duplex>();
    server.on('request', (request, response) => {
      const { socket } = request;
      // No Docker client sends a request before the answer to its last one. Node would begin them all at once.
      if (busy.has(socket)) {
        socket.destroy();
        return;
      }
      busy.add(socket);
      response.once('close', () => busy.delete(socket));
      try {
        this.of(sandbox).handle(request, response);
      } catch (error) {
        sendError(response, error);
      }
    });
    server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      try {
        this.of(sandbox).upgrade(request, socket, head);
      } catch (error) {
        refuseUpgrade(socket, error);
      }
    });
    server.on('error', (error) => this.#log.error({ err: error, sandbox: sandbox.name }, 'Docker socket'));
    await listen(server, sandbox.dockerSocket);
    // the path lies below a directory that only root enters; inside, root and the group docker may connect
    await chown(sandbox.dockerSocket, sandbox.uidBase, sandbox.uidBase + this.#dockerGid);
    await chmod(sandbox.dockerSocket, 0o660);
    return server;
  }

  async close(sandbox: LabHost): Promise<void> {
    const open = this.#open.get(sandbox.id);
    if (!open) return;
    this.#open.delete(sandbox.id);
    open.server.close();
    await open.tenant.dispose();
    open.server.closeAllConnections();
  }
}

/** An HTTP server for long streams: nothing is cut by time, while headers stay bounded in size and time. */
export function createStreamServer(): http.Server {
  return http.createServer({
    requestTimeout: 0,
    keepAliveTimeout: 60_000,
    headersTimeout: 60_000,
    maxHeaderSize: 64 * 1024,
  });
}

/** Listens on a Unix socket, in place of one that a dead process left. */
export async function listen(server: http.Server, socketPath: string): Promise<void> {
  await rm(socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path: socketPath }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

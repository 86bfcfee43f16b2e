// A Docker socket with nothing behind it but the front doors of builds and a test's own builder.

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Router, route } from '../../api/router.ts';
import { buildRoutes } from '../../api/routes/build.ts';
import { buildSessionRoutes } from '../../api/routes/build-sessions.ts';
import { ApiServer } from '../../api/server.ts';
import { createStreamServer, listen } from '../../control/tenant.ts';
import { createLogger } from '../../log.ts';
import type { Builder } from '../build.ts';
import { type BuildFronts, closeFronts, openFronts } from '../parts.ts';
import { localInit } from './local-init.ts';

const SETUP_DATA = process.env.BERTH_DATA ?? '/var/lib/berth';
const INIT = path.join(SETUP_DATA, 'bin/berth-init');

/** Why the real client cannot be tried here; undefined when it can. */
export const missing: string | undefined =
  process.getuid?.() !== 0 ? 'not root' : existsSync(INIT) ? undefined : `no ${INIT}; npm test makes it`;

export class FrontHost {
  readonly faults: unknown[] = [];

  private constructor(
    readonly directory: string,
    readonly socket: string,
    readonly fronts: BuildFronts,
    private readonly server: ReturnType<typeof createStreamServer>,
  ) {}

  /** stands for the sandbox's `/` */
  get root(): string {
    return path.join(this.directory, 'root');
  }

  static async open(builder: Builder): Promise<FrontHost> {
    const directory = await mkdtemp(path.join(os.tmpdir(), 'berth-fronts-'));
    const init = localInit(INIT, path.join(directory, 'root'));
    const log = createLogger('silent');
    const fronts = await openFronts({ builder, log, init, gatewayAddress: '172.17.0.1', workerId: 'test' });
    const api = new ApiServer(
      new Router([...routes(), ...buildRoutes(fronts), ...buildSessionRoutes(fronts)]),
      log,
    );
    const server = createStreamServer();
    server.on('request', (req, res) => api.handle(req, res));
    server.on('upgrade', (req, socket, head) => api.upgrade(req, socket, head));
    const socket = path.join(directory, 'docker.sock');
    await listen(server, socket);
    return new FrontHost(directory, socket, fronts, server);
  }

  async close(): Promise<void> {
    closeFronts(this.fronts);
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** What clients ask before they build. */
function routes() {
  const ping = { 'Builder-Version': '2', Ostype: 'linux' };
  return [
    route('HEAD', '/_ping', ({ res }) => void res.writeHead(200, ping).end()),
    route('GET', '/_ping', ({ res }) => void res.writeHead(200, ping).end('OK')),
    route('GET', '/version', (call) => call.send(200, { Version: 'test', ApiVersion: '1.47', Os: 'linux' })),
    route('GET', '/info', (call) => call.send(200, { OSType: 'linux', Architecture: 'x86_64' })),
  ];
}

// Builds the server from its settings: the one place where its parts meet.

import { mkdir } from 'node:fs/promises';
import { ControlClient } from '../engine/client/client.ts';
import { listen } from './http/server.ts';
import { LabShelf } from './lab/shelf.ts';
import type { Logger } from './log.ts';
import { SessionBook } from './session/book.ts';
import { ProgressStore } from './session/store.ts';
import type { ServerSettings } from './settings.ts';

/** A server that listens; `close` leaves lab hosts and terminals as they are. */
export interface BerthServer {
  url: string;
  port: number;
  close(): Promise<void>;
}

/** Starts everything. */
export async function startServer(settings: ServerSettings, log: Logger): Promise<BerthServer> {
  await mkdir(settings.stateDir, { recursive: true, mode: 0o700 });
  const engine = new ControlClient(settings.controlSocket);
  const shelf = await LabShelf.open(settings.contentDir, log);
  const store = new ProgressStore(settings.stateDir, log);
  const sessions = new SessionBook(shelf, { engine, store, log });
  const { host, port, previewDomain, webDir } = settings;
  const running = await listen({ host, port, previewDomain, webDir, engine, shelf, sessions, log });
  return {
    url: running.url,
    port: running.port,
    close: async () => {
      await running.close();
      await sessions.dispose();
      engine.close();
    },
  };
}

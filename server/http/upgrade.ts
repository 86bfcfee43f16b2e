// Which websocket a page asks for: a session's live socket or one of its terminals.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import { CreateTerminal } from '../../engine/client/types.ts';
import { messageOf } from '../errors.ts';
import { serveLive } from '../live/live.ts';
import type { Logger } from '../log.ts';
import { refusalOf } from '../security/origins.ts';
import type { SessionBook } from '../session/book.ts';
import { attachTerminal } from '../terminal/attach.ts';
import { refuse } from './refuse.ts';

/** Websockets at a time, over all pages. */
const MAX_SOCKETS = 256;

export interface UpgradeParts {
  sockets: WebSocketServer;
  sessions: SessionBook;
  log: Logger;
}

const ADDRESS = /^\/api\/sessions\/([a-z0-9-]{1,64})\/(?:live|terminals\/([^/]+))$/;

/** Answers upgrades that are for the application. */
export function createUpgrade(parts: UpgradeParts) {
  return (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    accept(request, socket, head, parts).catch((error: unknown) => {
      parts.log.error({ reason: messageOf(error) }, 'a websocket failed');
      socket.destroy();
    });
  };
}

async function accept(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  { sockets, sessions, log }: UpgradeParts,
): Promise<void> {
  if (refusalOf(request, true)) return refuse(socket, 403);
  if (sockets.clients.size >= MAX_SOCKETS) return refuse(socket, 503);
  const [, id, terminal] = ADDRESS.exec((request.url ?? '').split('?')[0] ?? '') ?? [];
  const terminalId = CreateTerminal.shape.id.optional().safeParse(terminal);
  const session = id && terminalId.success ? await sessions.find(id) : undefined;
  if (!session) return refuse(socket, 404);
  const opened = await new Promise<WebSocket>((resolve) => {
    sockets.handleUpgrade(request, socket, head, resolve);
  });
  if (terminalId.data === undefined) return serveLive(opened, session, log);
  await attachTerminal(opened, session.terminals, terminalId.data, log);
}

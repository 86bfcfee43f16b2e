// The live socket of a page: the session, the check list and the terminals, at first whole and then as they change.

import type { WebSocket } from 'ws';
import { isAway, messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { LiveMessage } from '../protocol.ts';
import type { Session } from '../session/session.ts';
import { keepAlive, limitRate, sendJson } from './sockets.ts';

/** Bytes not taken by the page above which its connection is given up; the page connects again and gets all anew. */
const MAX_UNSENT = 4 * 2 ** 20;

/** Serves one page until it goes away. */
export function serveLive(socket: WebSocket, session: Session, log: Logger): void {
  keepAlive(socket);
  limitRate(socket, 5, 20);
  const tell = (message: LiveMessage) => {
    if (socket.bufferedAmount > MAX_UNSENT) return socket.terminate();
    sendJson(socket, message);
  };
  const tellTerminals = () => {
    session.terminals
      .list()
      .then((terminals) => tell({ type: 'terminals', terminals }))
      .catch((error: unknown) => {
        if (!isAway(error))
          log.debug({ session: session.id, reason: messageOf(error) }, 'no terminals to list');
      });
  };
  const unwatch = session.watch((message) => {
    tell(message);
    // a lab host that came up has its terminals still, or none
    if (message.type === 'session' && message.session.phase === 'ready') tellTerminals();
  });
  socket.once('close', unwatch);
  socket.on('error', () => socket.terminate());
  // an open page is reason enough for a lab host, also after a restart of this server
  if (session.info().phase !== 'failed') session.start();
  tell({ type: 'session', session: session.info() });
  tell({ type: 'run', run: session.run() });
  if (session.info().phase === 'ready') tellTerminals();
}

// A connection that becomes a websocket (RFC 6455), as a raw stream: what comes in messages, and what is sent in them.

import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import { InvalidParameter } from '../errors.ts';
import type { Call, RawStream } from './call.ts';

/** Of one message; clients send what is typed, or pieces of files. */
const MAX_MESSAGE = 2 ** 20;
/** Ends a close that the client does not answer. */
const CLOSE_PATIENCE = 5000;

/** Accepts the websocket that a request asks for. Throws InvalidParameter when it asks for none. */
export async function acceptWebSocket(call: Call): Promise<RawStream> {
  const { upgrade, req } = call;
  if (!upgrade || req.headers.upgrade?.toLowerCase() !== 'websocket') {
    throw new InvalidParameter('not websocket protocol');
  }
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE,
  });
  const socket = await new Promise<WebSocket>((resolve, reject) => {
    server.once('wsClientError', reject);
    server.handleUpgrade(req, upgrade.socket, upgrade.head, resolve);
  });
  const stream = createWebSocketStream(socket);
  stream.on('error', () => socket.terminate());
  stream.once('finish', () => setTimeout(() => socket.terminate(), CLOSE_PATIENCE).unref());
  return { input: stream, output: stream };
}

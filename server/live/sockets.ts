// What every websocket of a page has in common: beats, detection of dead peers, bounded messages.

import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { BEAT, MAX_INPUT } from '../protocol.ts';
import { Rate } from '../security/rate.ts';

/** Accepts websockets; a message is at most a little more than what a page may send at once. */
export function createWebSocketServer(): WebSocketServer {
  return new WebSocketServer({
    noServer: true,
    clientTracking: true,
    maxPayload: MAX_INPUT * 4,
    perMessageDeflate: false,
  });
}

/** Sends beats so that the page notices a dead connection, and ends the connection when the page is dead. */
export function keepAlive(socket: WebSocket): void {
  let isAlive = true;
  socket.on('pong', () => {
    isAlive = true;
  });
  const timer = setInterval(() => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
    sendJson(socket, { type: 'beat' });
  }, BEAT.interval);
  socket.once('close', () => clearInterval(timer));
}

/** Closes the connection of a page that sends more messages than a person and their terminal can. */
export function limitRate(socket: WebSocket, perSecond: number, burst: number): void {
  const rate = new Rate(perSecond, burst);
  socket.on('message', () => {
    if (!rate.take()) socket.close(1008, 'too many messages');
  });
}

export function sendJson(socket: WebSocket, message: object): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
}

/** A message's bytes, in one piece. */
export function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

// Joins a page's websocket to a terminal: bytes both ways, and back-pressure from the screen to the program that writes.

import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { z } from 'zod';
import { ControlError } from '../../engine/client/http.ts';
import { TerminalSize } from '../../engine/client/types.ts';
import { describeError, isAway, messageOf } from '../errors.ts';
import { bytesOf, keepAlive, limitRate, sendJson } from '../live/sockets.ts';
import type { Logger } from '../log.ts';
import { FLOW, TERMINAL_CLOSE, type TerminalServerMessage } from '../protocol.ts';
import type { TerminalList } from './list.ts';

const ClientMessage = z.discriminatedUnion('type', [
  TerminalSize.extend({ type: z.literal('resize') }),
  z.object({ type: z.literal('ack'), bytes: z.number().int().positive() }),
]);

/** Bytes typed or pasted that the program has not read, at most. */
const MAX_UNREAD = 4 * 2 ** 20;

/** Serves one page's view of a terminal until either side goes away. The terminal itself goes on. */
export async function attachTerminal(
  socket: WebSocket,
  terminals: TerminalList,
  id: string,
  log: Logger,
): Promise<void> {
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  socket.on('error', () => socket.terminate());
  keepAlive(socket);
  limitRate(socket, 2000, 4000);
  // what is typed before the terminal is open waits in the connection
  socket.pause();
  try {
    const stream = await terminals.open(id, gone.signal);
    if (gone.signal.aborted) return void stream.destroy();
    tell(socket, { type: 'attached' });
    socket.once('close', () => stream.destroy());
    passOutput(stream, socket);
    passInput(socket, stream, (size) => terminals.resize(id, size), log);
    socket.resume();
    await ended(stream);
    if (!gone.signal.aborted) await sayGoodbye(socket, terminals, id);
  } catch (error) {
    if (gone.signal.aborted) return;
    if (!isAway(error) && !(error instanceof ControlError)) log.error({ err: error }, 'a terminal failed');
    const isGone = error instanceof ControlError && error.status === 404;
    close(socket, isGone ? TERMINAL_CLOSE.gone : TERMINAL_CLOSE.away, describeError(error).message);
  }
}

/** Bytes to the page; above FLOW.high of them that it has not shown yet, the terminal is not read. */
function passOutput(stream: Duplex, socket: WebSocket): void {
  let unshown = 0;
  stream.on('data', (chunk: Buffer) => {
    unshown += chunk.length;
    socket.send(chunk, { binary: true });
    if (unshown > FLOW.high) stream.pause();
  });
  socket.on('message', (data, isBinary) => {
    if (isBinary) return;
    const message = parse(data.toString());
    if (message?.type !== 'ack') return;
    unshown = Math.max(0, unshown - message.bytes);
    if (unshown < FLOW.low && stream.isPaused()) stream.resume();
  });
}

/**
 * What is typed, to the program. The page's connection cannot be paused for one that does not read: the acknowledgments of
 * output come the same way, and `cat` with a long paste would wait for both.
 */
function passInput(
  socket: WebSocket,
  stream: Duplex,
  resize: (size: TerminalSize) => Promise<void>,
  log: Logger,
): void {
  socket.on('message', (data, isBinary) => {
    if (isBinary) {
      if (stream.writable) stream.write(bytesOf(data));
      if (stream.writableLength > MAX_UNREAD) socket.close(1009, 'the program does not read what it is sent');
      return;
    }
    const message = parse(data.toString());
    if (!message) return socket.close(1007, 'not a message of this protocol');
    if (message.type !== 'resize') return;
    resize({ rows: message.rows, cols: message.cols }).catch((error: unknown) =>
      log.debug({ reason: messageOf(error) }, 'a terminal was not resized'),
    );
  });
}

function parse(text: string): z.infer<typeof ClientMessage> | undefined {
  try {
    return ClientMessage.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Resolves when no more output comes, however the stream ended. */
function ended(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    stream.once('end', resolve);
    stream.once('close', resolve);
    // why it broke off is asked of the engine afterwards
    stream.once('error', () => resolve());
  });
}

/** Tells the page how the program ended, or that the engine broke off. */
async function sayGoodbye(socket: WebSocket, terminals: TerminalList, id: string): Promise<void> {
  const exit = await terminals.exitOf(id);
  if (exit === 'running') return close(socket, TERMINAL_CLOSE.away, 'the connection to the engine broke off');
  if (exit === 'gone') return close(socket, TERMINAL_CLOSE.gone, 'no such terminal');
  // the page must know why the terminal goes before it hears that it is not in the list any more
  const closed = new Promise((resolve) => socket.once('close', resolve));
  tell(socket, { type: 'exit', code: exit.code });
  close(socket, TERMINAL_CLOSE.ended, '');
  await closed;
  await terminals.refresh();
}

function tell(socket: WebSocket, message: TerminalServerMessage): void {
  sendJson(socket, message);
}

/** Close reasons are at most 123 bytes. */
function close(socket: WebSocket, code: number, reason: string): void {
  socket.resume();
  socket.close(
    code,
    Buffer.from(reason, 'utf8')
      .subarray(0, 120)
      .toString('utf8')
      .replace(/\uFFFD$/, ''),
  );
}

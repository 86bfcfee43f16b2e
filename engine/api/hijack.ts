// Attach and exec turn their connection into a raw stream: `101 UPGRADED` for clients that ask, a plain 200 for old ones.

import type { Call, RawStream } from './call.ts';
import { COMMON_HEADERS } from './version.ts';

const RAW = 'application/vnd.docker.raw-stream';
const MULTIPLEXED = 'application/vnd.docker.multiplexed-stream';

/** The type of a stream: clients from 1.42 on are told whether stdout and stderr are framed. */
export function streamType(call: Call, hasTerminal: boolean): string {
  return !hasTerminal && call.isAtLeast('1.42') ? MULTIPLEXED : RAW;
}

/** Answers, and hands the connection over. Without `Upgrade:` the request's body is the input. */
export function hijack(call: Call, hasTerminal: boolean): RawStream {
  const type = streamType(call, hasTerminal);
  const { upgrade, res, req } = call;
  if (!upgrade) {
    res.writeHead(200, { 'Content-Type': type, Connection: 'close' });
    res.flushHeaders();
    return { input: req, output: res };
  }
  const { socket, head } = upgrade;
  const headers = { ...COMMON_HEADERS, 'Content-Type': type, Connection: 'Upgrade', Upgrade: 'tcp' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 101 UPGRADED\r\n${lines.join('')}\r\n`);
  if (head.length > 0) socket.unshift(head);
  return { input: socket, output: socket };
}

/** Ends a raw stream and never throws: the client may be gone. */
export function endStream({ output }: RawStream): void {
  if (!output.destroyed && !output.writableEnded) output.end();
}

// Ends an upgrade that is not wanted.

import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/** Answers with a status and nothing else. */
export function refuse(socket: Duplex, status: number): void {
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

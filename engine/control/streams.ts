// Connections that are handed over: a terminal's bytes, and a TCP port inside the sandbox.

import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream';
import type { Logger } from '../log.ts';
import type { Attachment } from '../sandbox/init-types.ts';

const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: berth-stream\r\n\r\n';

/** Both directions of a TCP connection, half-closes included; each waits for the other side to take the bytes. */
export function serveDial(target: Duplex): (socket: Duplex, head: Buffer) => void {
  return (socket, head) => {
    socket.write(SWITCHING);
    if (head.length > 0) target.write(head);
    const finish = (error: NodeJS.ErrnoException | null | undefined) => {
      if (!error) return;
      socket.destroy();
      target.destroy();
    };
    pipeline(socket, target, finish);
    pipeline(target, socket, finish);
  };
}

/** A terminal: its output to the socket, and what the socket sends as its input, until one of them ends. */
export function serveTerminal(
  attachment: Attachment,
  options: { onOutput: () => void; log: Logger },
): (socket: Duplex, head: Buffer) => void {
  return (socket, head) => {
    socket.write(SWITCHING);
    socket.once('close', () => attachment.close());
    if (head.length > 0) attachment.stdin.write(head);
    socket.on('data', (chunk: Buffer) => {
      if (attachment.stdin.write(chunk)) return;
      socket.pause();
      attachment.stdin.once('drain', () => socket.resume());
    });
    // a client's end of input leaves the terminal as it is: others may be attached
    copyOutput(attachment, socket, options.onOutput)
      .catch((error) => options.log.debug({ err: error }, 'a terminal connection broke'))
      .finally(() => socket.end());
  };
}

async function copyOutput(attachment: Attachment, socket: Duplex, onOutput: () => void): Promise<void> {
  for await (const { data } of attachment.output) {
    if (socket.destroyed) return;
    onOutput();
    if (!socket.write(data)) await drained(socket);
  }
}

function drained(socket: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    if (socket.destroyed) resolve();
    else socket.once('drain', done).once('close', done);
  });
}

// One terminal's connection to the server: bytes both ways, acknowledged when they are on the screen.

import {
  FLOW,
  MAX_INPUT,
  PATHS,
  TERMINAL_CLOSE,
  type TerminalClientMessage,
  type TerminalServerMessage,
} from '../../server/protocol.ts';
import { ReconnectingSocket } from '../api/reconnecting-socket.ts';

export interface Size {
  rows: number;
  cols: number;
}

/** What the connection needs of the screen, and tells it. */
export interface Screen {
  size(): Size;
  /** what follows is the terminal's last output, from the beginning */
  restart(): void;
  /** calls back when the bytes are on the screen */
  write(bytes: Uint8Array, onShown: () => void): void;
  onConnected(isConnected: boolean): void;
  /** the program has ended, with its exit code when it is known */
  onEnded(code: number | null): void;
  /** there is no such terminal any more */
  onGone(): void;
}

/** Lives as long as its terminal is on the page. */
export class TerminalConnection {
  private readonly socket: ReconnectingSocket;
  private readonly encoder = new TextEncoder();
  private unacknowledged = 0;
  private isAttached = false;
  private hasEnded = false;

  constructor(
    session: string,
    terminal: string,
    private readonly screen: Screen,
  ) {
    this.socket = new ReconnectingSocket(PATHS.terminal(session, terminal), {
      onOpen: () => this.resize(this.screen.size()),
      onMessage: (message) => {
        if (message instanceof Uint8Array) this.show(message);
        else this.take(message as TerminalServerMessage);
      },
      onClose: (code) => this.lost(code),
    });
  }

  /** What is typed or pasted; lost when there is no connection, as on any terminal whose line is cut. */
  type(text: string): void {
    this.sendBytes(this.encoder.encode(text));
  }

  sendBytes(bytes: Uint8Array<ArrayBuffer>): void {
    for (let start = 0; start < bytes.length; start += MAX_INPUT) {
      this.socket.send(bytes.subarray(start, start + MAX_INPUT));
    }
  }

  resize({ rows, cols }: Size): void {
    this.say({ type: 'resize', rows, cols });
  }

  /** The terminal itself goes on. */
  close(): void {
    this.socket.close();
  }

  private show(bytes: Uint8Array): void {
    const { length } = bytes;
    this.screen.write(bytes, () => {
      this.unacknowledged += length;
      if (this.unacknowledged < FLOW.ackEvery) return;
      this.say({ type: 'ack', bytes: this.unacknowledged });
      this.unacknowledged = 0;
    });
  }

  private take(message: TerminalServerMessage): void {
    if (message.type === 'attached') {
      this.isAttached = true;
      this.unacknowledged = 0;
      this.screen.restart();
      this.screen.onConnected(true);
    } else if (message.type === 'exit') {
      this.hasEnded = true;
      this.screen.onEnded(message.code);
    }
  }

  private lost(code: number): boolean {
    if (this.isAttached) this.screen.onConnected(false);
    this.isAttached = false;
    if (this.hasEnded || code === TERMINAL_CLOSE.ended) return false;
    if (code !== TERMINAL_CLOSE.gone) return true;
    this.screen.onGone();
    return false;
  }

  private say(message: TerminalClientMessage): void {
    this.socket.send(JSON.stringify(message));
  }
}

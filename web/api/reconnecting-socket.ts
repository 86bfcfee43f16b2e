// A websocket that connects again by itself, and notices a dead connection by the server's missing beats.

import { BEAT } from '../../server/protocol.ts';

const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 4000;

export interface SocketListener {
  onOpen(): void;
  /** text is JSON, already parsed; bytes are bytes */
  onMessage(message: unknown | Uint8Array): void;
  /** false ends it for good */
  onClose(code: number): boolean;
}

/** Open until `close` is called or the listener ends it. */
export class ReconnectingSocket {
  private socket: WebSocket | undefined;
  private pause = FIRST_PAUSE;
  private retry: number | undefined;
  private watchdog: number | undefined;
  private isOver = false;
  private readonly onOnline = () => this.retryNow();

  constructor(
    private readonly path: string,
    private readonly listener: SocketListener,
  ) {
    addEventListener('online', this.onOnline);
    document.addEventListener('visibilitychange', this.onOnline);
    this.connect();
  }

  get isOpen(): boolean {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.isOpen) this.socket?.send(data);
  }

  close(): void {
    this.isOver = true;
    clearTimeout(this.retry);
    clearTimeout(this.watchdog);
    removeEventListener('online', this.onOnline);
    document.removeEventListener('visibilitychange', this.onOnline);
    this.socket?.close();
  }

  private connect(): void {
    const url = new URL(this.path, location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    this.watch();
    socket.onopen = () => {
      this.watch();
      this.listener.onOpen();
    };
    socket.onmessage = ({ data }) => {
      this.pause = FIRST_PAUSE;
      this.watch();
      this.listener.onMessage(data instanceof ArrayBuffer ? new Uint8Array(data) : JSON.parse(String(data)));
    };
    socket.onclose = ({ code }) => {
      if (this.socket !== socket) return;
      clearTimeout(this.watchdog);
      if (this.isOver) return;
      if (!this.listener.onClose(code)) return this.close();
      this.retry = window.setTimeout(() => this.connect(), this.pause);
      this.pause = Math.min(this.pause * 1.7, LONGEST_PAUSE);
    };
  }

  /** The person is back, or the network is: do not wait for the pause to end. */
  private retryNow(): void {
    if (this.isOver || document.hidden || this.socket?.readyState !== WebSocket.CLOSED) return;
    clearTimeout(this.retry);
    this.connect();
  }

  /** A socket that says nothing for long is given up; its close may take as long, so it is not waited for. */
  private watch(): void {
    clearTimeout(this.watchdog);
    this.watchdog = window.setTimeout(() => {
      const dead = this.socket;
      this.socket = undefined;
      dead?.close();
      if (this.isOver || !this.listener.onClose(1006)) return;
      this.connect();
    }, BEAT.silence);
  }
}

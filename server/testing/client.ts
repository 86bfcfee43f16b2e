// What a page does, for tests: requests with chosen headers, and websockets that remember what came.

import http, { type IncomingHttpHeaders } from 'node:http';
import { WebSocket } from 'ws';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** A request to 127.0.0.1 whatever the Host header says. */
export function ask(
  port: number,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: unknown; raw?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body, raw } = options;
    const request = http.request(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        headers: {
          host: `localhost:${port}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        );
      },
    );
    request.on('error', reject);
    request.end(raw ?? (body === undefined ? undefined : JSON.stringify(body)));
  });
}

/** A request that changes something, as the page itself makes it. */
export function change(port: number, method: string, path: string, body?: unknown): Promise<Answer> {
  return ask(port, path, {
    method,
    headers: { origin: `http://localhost:${port}` },
    ...(body ? { body } : {}),
  });
}

/** A page's websocket; messages and bytes are kept. */
export class TestSocket {
  readonly messages: Record<string, unknown>[] = [];
  bytes = Buffer.alloc(0);
  received = 0;
  closeCode: number | undefined;
  refusal: number | undefined;
  readonly socket: WebSocket;

  constructor(port: number, path: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, {
      headers: { host: `localhost:${port}`, origin: `http://localhost:${port}`, ...headers },
    });
    this.socket.on('message', (data, isBinary) => {
      const chunk = Buffer.isBuffer(data) ? data : Buffer.alloc(0);
      if (isBinary) {
        this.received += chunk.length;
        this.bytes = Buffer.concat([this.bytes, chunk]).subarray(-1_000_000);
      } else this.messages.push(JSON.parse(chunk.toString('utf8')));
    });
    this.socket.on('unexpected-response', (request, response) => {
      this.refusal = response.statusCode;
      request.destroy();
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', (code) => {
      this.closeCode = code;
    });
  }

  get text(): string {
    return this.bytes.toString('utf8');
  }

  last(type: string): Record<string, unknown> | undefined {
    return this.messages.findLast((message) => message.type === type);
  }

  type(text: string): void {
    this.socket.send(Buffer.from(text, 'utf8'), { binary: true });
  }

  say(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  close(): void {
    this.socket.terminate();
  }
}

/** Waits until something is true; the error says what was waited for. */
export async function until(what: string, isTrue: () => unknown, timeout = 8000): Promise<void> {
  const deadline = performance.now() + timeout;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

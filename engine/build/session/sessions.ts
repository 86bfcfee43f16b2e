// The sessions of a sandbox's build clients: who can be asked for files, secrets and keys, by the id that builds name.

import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import { EngineError, InvalidParameter } from '../../errors.ts';
import { GrpcClient } from '../grpc/client.ts';
import { Code, GrpcError } from '../grpc/status.ts';

export const SESSION_LIMITS = {
  /** sessions of a sandbox at a time */
  sessions: 64,
  /** procedures that one says it has */
  methods: 200,
  /** milliseconds that a build waits for its session: clients open both at once */
  arrival: 10_000,
} as const;

/** A client that can be asked. */
export interface Session {
  readonly id: string;
  /** what builds of the same folder have in common; '' when the client does not say */
  readonly sharedKey: string;
  readonly client: GrpcClient;
  /** whether the client has a procedure */
  supports(path: string): boolean;
}

export class SessionRegistry {
  readonly #sessions = new Map<string, Session>();
  readonly #waiting = new Map<string, Set<() => void>>();

  /** how many there are */
  get size(): number {
    return this.#sessions.size;
  }

  /** What a request for a session says of itself. Throws InvalidParameter, and Docker's 400s. */
  static describe(headers: IncomingHttpHeaders): { id: string; sharedKey: string; methods: string[] } {
    const one = (name: string) => {
      const value = headers[name];
      return typeof value === 'string' ? value : '';
    };
    const id = one('x-docker-expose-session-uuid');
    if (!/^[\x21-\x7e]{1,200}$/.test(id)) throw new InvalidParameter('no session id in request');
    const protocol = one('upgrade');
    if (protocol !== 'h2c') throw new InvalidParameter(`protocol ${protocol.slice(0, 50)} not supported`);
    // Node joins repeated headers
    const methods = one('x-docker-expose-session-grpc-method').split(', ').slice(0, SESSION_LIMITS.methods);
    return { id, sharedKey: one('x-docker-expose-session-sharedkey').slice(0, 1000), methods };
  }

  /** Holds a session for as long as its connection lasts. */
  async serve(socket: Duplex, about: { id: string; sharedKey: string; methods: string[] }): Promise<void> {
    this.checkRoom(about.id);
    const methods = new Set(about.methods.map((method) => method.toLowerCase()));
    const client = new GrpcClient(socket);
    const session: Session = {
      id: about.id,
      sharedKey: about.sharedKey,
      client,
      supports: (path) => methods.has(path.toLowerCase()),
    };
    this.#sessions.set(about.id, session);
    for (const wake of this.#waiting.get(about.id) ?? []) wake();
    try {
      await client.closed;
    } finally {
      if (this.#sessions.get(about.id) === session) this.#sessions.delete(about.id);
      socket.destroy();
    }
  }

  /** Throws when there is one of that id, or too many. */
  checkRoom(id: string): void {
    if (this.#sessions.has(id)) throw new EngineError(409, `session ${id} already exists`);
    if (this.#sessions.size >= SESSION_LIMITS.sessions) {
      throw new EngineError(503, 'too many build sessions at a time');
    }
  }

  /** A build's session, which may still be on its way. Throws GrpcError. */
  async get(id: string, signal: AbortSignal): Promise<Session> {
    const there = this.#sessions.get(id);
    if (there) return there;
    if (id === '') throw new GrpcError(Code.UNKNOWN, 'the build has no session to get its files from');
    signal.throwIfAborted();
    await this.#arrival(id, signal);
    signal.throwIfAborted();
    const session = this.#sessions.get(id);
    if (!session) throw new GrpcError(Code.UNKNOWN, `no active session for ${id}: context deadline exceeded`);
    return session;
  }

  #arrival(id: string, signal: AbortSignal): Promise<void> {
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting);
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        waiting.delete(done);
        if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
        resolve();
      };
      const timer = setTimeout(done, SESSION_LIMITS.arrival);
      signal.addEventListener('abort', done, { once: true });
      waiting.add(done);
    });
  }
}

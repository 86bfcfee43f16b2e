// The engine's end of berth-init's control connection: requests, the list of processes, and coming back after a break.

import type net from 'node:net';
import { EngineError, InvalidParameter, NotFound, Unavailable } from '../errors.ts';
import {
  encodeFrame,
  type Fields,
  FieldWriter,
  type Frame,
  FrameSplitter,
  PROTOCOL_VERSION,
  Tag,
  Type,
  violation,
} from './init-codec.ts';
import {
  checkKey,
  readDnsQuery,
  readProcess,
  readReply,
  startRequest,
  startTimeout,
} from './init-messages.ts';
import { attachTo, connectInit, dialFrom, readFileFrom } from './init-stream.ts';
import type {
  Attachment,
  AttachOptions,
  DnsQuery,
  FileStream,
  InitApi,
  ProcessSpec,
  ProcessState,
  Step,
} from './init-types.ts';

const REQUEST_TIMEOUT = 10_000;
/** How long a request waits for a connection that is being made again. */
/** Bytes of answers that a PID 1 which asks and does not read may leave in the engine. */
const MAX_UNSENT_ANSWERS = 2 ** 20;
const RECONNECT_PATIENCE = 2000;
const RECONNECT_DELAYS = [5, 10, 20, 50, 100, 200, 500, 1000];
/** berth-init knows at most 4,096; a PID 1 that was replaced could invent more. */
const MAX_PROCESSES = 8192;

interface Pending {
  resolve(fields: Fields): void;
  reject(error: Error): void;
  subject: string;
  timer: NodeJS.Timeout;
}

interface Waiter {
  resolve(process: ProcessState): void;
  reject(error: Error): void;
}

/** A connection to one sandbox's PID 1. It reconnects until it is closed. */
export class InitClient implements InitApi {
  readonly #socketPath: string;
  readonly #processes = new Map<string, ProcessState>();
  readonly #pending = new Map<number, Pending>();
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #dnsListeners = new Set<(query: DnsQuery) => void>();
  readonly #exitListeners = new Set<(process: ProcessState) => void>();
  readonly #downListeners = new Set<() => void>();
  #socket: net.Socket | undefined;
  #isReady = false;
  #isClosed = false;
  #connecting: Promise<void> | undefined;
  #reconnectTimer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #nextId = 1;
  #boot: string | undefined;
  /** keys that the list after a HELLO has named so far */
  #reported: Set<string> | undefined;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Connects and learns what runs. Rejects with Unavailable; a client that was connected once goes on trying by itself. */
  connect(): Promise<void> {
    if (this.#isReady) return Promise.resolve();
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  get isConnected(): boolean {
    return this.#isReady;
  }

  /** PID 1's identity: another string means that everything in the sandbox is new. */
  get boot(): string | undefined {
    return this.#boot;
  }

  /** Ends the connection for good; the sandbox goes on. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#reconnectTimer);
    this.#socket?.destroy();
    this.#dropped(new Unavailable('the sandbox is closed'));
    this.#rejectWaiters(() => true, new Unavailable('the sandbox is closed'));
  }

  /** Called whenever an established connection is lost. */
  onDown(listener: () => void): () => void {
    this.#downListeners.add(listener);
    return () => this.#downListeners.delete(listener);
  }

  async #open(): Promise<void> {
    if (this.#isClosed) throw new Unavailable('the sandbox is closed');
    const socket = await connectInit(this.#socketPath);
    this.#socket = socket;
    this.#reported = new Set();
    const splitter = new FrameSplitter();
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of splitter.push(chunk)) this.#receive(frame);
      } catch (error) {
        socket.destroy(error instanceof Error ? error : undefined);
      }
    });
    socket.once('close', () => this.#onClose(socket));
    try {
      const hello = new FieldWriter().u32(Tag.VERSION, PROTOCOL_VERSION).finish();
      const reply = await this.#send(socket, Type.HELLO, hello, 'hello', REQUEST_TIMEOUT);
      this.#settle(reply.string(Tag.BOOT) ?? '');
    } catch (error) {
      socket.destroy();
      throw error instanceof EngineError
        ? error
        : new Unavailable('the sandbox cannot be reached', { cause: error });
    }
  }

  /** The list is complete: what it did not name is no longer known. */
  #settle(boot: string): void {
    const reported = this.#reported ?? new Set();
    this.#reported = undefined;
    for (const key of [...this.#processes.keys()]) if (!reported.has(key)) this.#processes.delete(key);
    this.#rejectWaiters((key) => !reported.has(key), new NotFound('no such process in the sandbox any more'));
    this.#boot = boot.slice(0, 64);
    this.#isReady = true;
    this.#attempts = 0;
  }

  #onClose(socket: net.Socket): void {
    if (this.#socket !== socket) return;
    const wasReady = this.#isReady;
    this.#dropped(new Unavailable('the connection to the sandbox was lost'));
    if (this.#isClosed) return;
    if (wasReady) for (const listener of [...this.#downListeners]) listener();
    if (wasReady || this.#boot !== undefined) this.#scheduleReconnect();
  }

  #dropped(error: Unavailable): void {
    this.#socket = undefined;
    this.#isReady = false;
    this.#reported = undefined;
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(error);
    }
    this.#pending.clear();
  }

  #scheduleReconnect(): void {
    if (this.#isClosed || this.#reconnectTimer) return;
    const delay = RECONNECT_DELAYS[Math.min(this.#attempts, RECONNECT_DELAYS.length - 1)];
    this.#attempts += 1;
    this.#reconnectTimer = setTimeout(() => {
      this.#reconnectTimer = undefined;
      this.connect().catch(() => this.#scheduleReconnect());
    }, delay);
    this.#reconnectTimer.unref();
  }

  #receive(frame: Frame): void {
    switch (frame.type) {
      case Type.REPLY:
        this.#receiveReply(frame);
        break;
      case Type.PROCESS:
      case Type.EXIT:
        this.#receiveProcess(readProcess(frame.body));
        break;
      case Type.DNS_QUERY:
        this.#receiveQuery(frame);
        break;
      default:
        throw violation(`frame ${frame.type} on the control connection`);
    }
  }

  #receiveQuery(frame: Frame): void {
    const query = readDnsQuery(frame.body);
    for (const listener of this.#dnsListeners) listener(query);
  }

  #receiveReply(frame: Frame): void {
    const pending = this.#pending.get(frame.id);
    if (!pending) return; // it came too late
    this.#pending.delete(frame.id);
    clearTimeout(pending.timer);
    try {
      pending.resolve(readReply(frame.body, pending.subject));
    } catch (error) {
      pending.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #receiveProcess(process: ProcessState): void {
    const before = this.#processes.get(process.key);
    if (!before && this.#processes.size >= MAX_PROCESSES) throw violation('more processes than there can be');
    this.#reported?.add(process.key);
    this.#processes.set(process.key, process);
    if (process.state !== 'ended' || before?.state === 'ended') return;
    const waiters = this.#waiters.get(process.key);
    this.#waiters.delete(process.key);
    for (const waiter of waiters ?? []) waiter.resolve(process);
    for (const listener of [...this.#exitListeners]) listener(process);
  }

  async #request(type: number, fields: Buffer, subject: string, timeout = REQUEST_TIMEOUT): Promise<Fields> {
    if (!this.#isReady) await this.#reconnected();
    if (!this.#socket) throw new Unavailable('the sandbox cannot be reached');
    return this.#send(this.#socket, type, fields, subject, timeout);
  }

  /** Waits for the connection that is being made again, for a while. */
  async #reconnected(): Promise<void> {
    const deadline = Date.now() + RECONNECT_PATIENCE;
    for (let delay = 5; ; delay = Math.min(delay * 2, 100)) {
      try {
        await this.connect();
        return;
      } catch (error) {
        if (this.#isClosed || this.#boot === undefined || Date.now() > deadline) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }

  #send(socket: net.Socket, type: number, fields: Buffer, subject: string, timeout: number): Promise<Fields> {
    const id = this.#nextId;
    const bytes = encodeFrame(type, id, fields);
    this.#nextId = id === 0xffffffff ? 1 : id + 1;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Unavailable(`${subject}: the sandbox does not answer`));
      }, timeout);
      this.#pending.set(id, { resolve, reject, subject, timer });
      socket.write(bytes);
    });
  }

  async start(steps: readonly Step[], process?: ProcessSpec): Promise<{ pid: number }> {
    const before = process && this.#processes.get(process.key);
    const reply = await this.#request(Type.START, startRequest(steps, process), 'start', startTimeout(steps));
    const pid = reply.u32(Tag.PID) ?? 0;
    // the EXIT of a process that ended at once may be here already
    if (process && this.#processes.get(process.key) === before) {
      const started = BigInt(Date.now()) * 1_000_000n;
      this.#processes.set(process.key, {
        key: process.key,
        pid,
        state: 'running',
        status: 0,
        started,
        finished: 0n,
        oomKilled: false,
      });
    }
    return { pid };
  }

  async reserve(process: ProcessSpec): Promise<void> {
    await this.#request(Type.START, startRequest([], process, true), 'start');
  }

  async signal(key: string, signal: number, options: { group?: boolean } = {}): Promise<void> {
    const w = new FieldWriter().string(Tag.KEY, checkKey(key)).u32(Tag.SIGNO, signal);
    if (options.group) w.u32(Tag.GROUP_SIGNAL, 1);
    await this.#request(Type.SIGNAL, w.finish(), `signal ${key}`);
  }

  async resize(key: string, rows: number, cols: number): Promise<void> {
    const w = new FieldWriter().string(Tag.KEY, checkKey(key)).u32(Tag.ROWS, rows).u32(Tag.COLS, cols);
    await this.#request(Type.RESIZE, w.finish(), `resize ${key}`);
  }

  async forget(key: string): Promise<void> {
    const fields = new FieldWriter().string(Tag.KEY, checkKey(key)).finish();
    try {
      await this.#request(Type.FORGET, fields, `forget ${key}`);
    } catch (error) {
      if (!(error instanceof NotFound)) throw error;
    }
    this.#processes.delete(key);
    this.#rejectWaiters((waited) => waited === key, new NotFound(`no such process: ${key}`));
  }

  attach(key: string, options: AttachOptions): Promise<Attachment> {
    return attachTo(this.#socketPath, key, options);
  }

  readFile(
    path: string,
    options: { offset?: number; tailLines?: number; limit?: number; follow?: string } = {},
  ): Promise<FileStream> {
    return readFileFrom(this.#socketPath, path, options);
  }

  dial(
    address: string,
    port: number,
    options: { netns?: string; timeout?: number } = {},
  ): Promise<net.Socket> {
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      return Promise.reject(new InvalidParameter(`${port} is not a port`));
    }
    return dialFrom(this.#socketPath, address, port, options);
  }

  async listenDns(netns: string): Promise<void> {
    const fields = new FieldWriter().string(Tag.NETNS, netns).finish();
    await this.#request(Type.DNS_LISTEN, fields, `name server of ${netns}`);
  }

  onDnsQuery(listener: (query: DnsQuery) => void): () => void {
    this.#dnsListeners.add(listener);
    return () => this.#dnsListeners.delete(listener);
  }

  answerDns(query: number, message: Uint8Array): void {
    // One that is lost is asked again, as any datagram may be.
    if (!this.#isReady || !this.#socket || this.#socket.writableLength > MAX_UNSENT_ANSWERS) return;
    const fields = new FieldWriter().u32(Tag.QUERY, query).bytes(Tag.BYTES, message).finish();
    this.#socket.write(encodeFrame(Type.DNS_ANSWER, 0, fields));
  }

  process(key: string): ProcessState | undefined {
    return this.#processes.get(key);
  }

  processes(): ProcessState[] {
    return [...this.#processes.values()];
  }

  waitExit(key: string, signal?: AbortSignal): Promise<ProcessState> {
    const process = this.#processes.get(key);
    if (!process) return Promise.reject(new NotFound(`no such process: ${key}`));
    if (process.state === 'ended') return Promise.resolve(process);
    return new Promise((resolve, reject) => {
      const waiters = this.#waiters.get(key) ?? new Set();
      this.#waiters.set(key, waiters);
      const settle = (finish: () => void) => {
        signal?.removeEventListener('abort', onAbort);
        waiters.delete(waiter);
        finish();
      };
      const waiter: Waiter = {
        resolve: (ended) => settle(() => resolve(ended)),
        reject: (error) => settle(() => reject(error)),
      };
      const onAbort = () =>
        waiter.reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
      waiters.add(waiter);
      if (signal?.aborted) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  onExit(listener: (process: ProcessState) => void): () => void {
    this.#exitListeners.add(listener);
    return () => this.#exitListeners.delete(listener);
  }

  #rejectWaiters(concerns: (key: string) => boolean, error: Error): void {
    for (const [key, waiters] of [...this.#waiters]) {
      if (!concerns(key)) continue;
      this.#waiters.delete(key);
      for (const waiter of [...waiters]) waiter.reject(error);
    }
  }
}

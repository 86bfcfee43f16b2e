// Compiles berth-init with sanitizers, runs it outside a sandbox (as a subreaper) or as PID 1 of namespaces, and talks to it.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Fields, type Frame, fields, frame, type Input, parse, T } from './codec.ts';

export const SOURCES = fileURLToPath(new URL('..', import.meta.url));

/** ESRCH and others that the tests expect */
export const E = {
  ENOENT: 2,
  ESRCH: 3,
  EIO: 5,
  EAGAIN: 11,
  EBUSY: 16,
  EEXIST: 17,
  EINVAL: 22,
  ENOTTY: 25,
  ENOSYS: 38,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
};

/** START's and ATTACH's flags */
export const F = { TERMINAL: 1, STDIN: 2, STDIN_ONCE: 4, ADOPT: 8, DISCARD: 16, RESERVE: 32 };
export const A = { STDIN: 1, STDOUT: 2, STDERR: 4, REPLAY: 8, STDIN_ONCE: 16, ALL: 7 };

export const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `holds` says so; fails after five seconds. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = Date.now() + 5000; Date.now() < end; await wait(10)) if (await holds()) return;
  throw new Error(`not within five seconds: ${what}`);
}

/** Directory with berth-init (AddressSanitizer, UBSan) and the `listen` helper; compiled once for a state of the sources. */
export function compile(): string {
  const hash = createHash('sha256');
  const sources = readdirSync(SOURCES).filter((name) => /\.[ch]$/.test(name));
  for (const name of sources) hash.update(readFileSync(path.join(SOURCES, name)));
  const directory = path.join(
    os.tmpdir(),
    `berth-init-test-${process.getuid?.() ?? 0}-${hash.digest('hex').slice(0, 16)}`,
  );
  if (existsSync(directory)) return directory;
  const building = mkdtempSync(path.join(os.tmpdir(), 'berth-init-build-'));
  const cc = process.env.CC ?? 'cc';
  const flags =
    '-std=gnu11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all';
  const files = sources.filter((name) => name.endsWith('.c')).map((name) => path.join(SOURCES, name));
  execFileSync(cc, [...flags.split(' '), ...files, '-o', path.join(building, 'berth-init')]);
  execFileSync(cc, [
    '-D_GNU_SOURCE',
    path.join(SOURCES, 'test/listen.c'),
    '-o',
    path.join(building, 'listen'),
  ]);
  try {
    renameSync(building, directory);
  } catch {
    rmSync(building, { recursive: true }); // another test file was first
  }
  return directory;
}

/** A connection to berth-init that keeps the frames it gets until a test asks for them. */
export class Peer {
  readonly socket: net.Socket;
  readonly frames: Frame[] = [];
  isClosed = false;
  #rest = Buffer.alloc(0);
  #wake: (() => void)[] = [];
  #nextId = 1;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      while (this.#rest.length >= 4 && this.#rest.length >= 4 + this.#rest.readUInt32LE()) {
        const end = 4 + this.#rest.readUInt32LE();
        const body = Buffer.from(this.#rest.subarray(9, end));
        this.frames.push({ type: this.#rest.readUInt8(4), id: this.#rest.readUInt32LE(5), body });
        this.#rest = this.#rest.subarray(end);
      }
      this.#stir();
    });
    socket.on('error', () => undefined);
    const onEnd = () => {
      this.isClosed = true;
      this.#stir();
    };
    socket.on('end', onEnd).on('close', onEnd);
  }

  #stir() {
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** The next frame that `fits`, taken out of the queue; the ones before it stay. */
  async next(fits: (frame: Frame) => boolean, timeout = 10_000): Promise<Frame> {
    for (const end = Date.now() + timeout; ; ) {
      const index = this.frames.findIndex(fits);
      const found = index < 0 ? undefined : this.frames.splice(index, 1)[0];
      if (found) return found;
      const left = end - Date.now();
      if (this.isClosed || left <= 0)
        throw new Error(this.isClosed ? 'the connection closed' : 'no such frame came');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  write(type: number, body: Uint8Array = Buffer.alloc(0), id = 0): boolean {
    return this.socket.write(frame(type, id, body));
  }

  async request(type: number, input: Input): Promise<Fields> {
    const id = this.#nextId++;
    this.write(type, fields(input), id);
    return parse((await this.next((f) => f.type === T.REPLY && f.id === id)).body);
  }

  /** The request's ERRNO. */
  async errno(type: number, input: Input): Promise<number> {
    return (await this.request(type, input)).numbers.errno ?? -1;
  }

  async exitOf(key: string): Promise<Fields> {
    return parse((await this.next((f) => f.type === T.EXIT && parse(f.body).texts.key === key)).body);
  }

  async closed(): Promise<void> {
    await until(() => this.isClosed, 'the connection closes');
  }

  /** What comes until END, by stream. */
  async streams(): Promise<{ stdout: string; stderr: string; data: string }> {
    const out = { stdout: '', stderr: '', data: '' };
    const kinds: Record<number, keyof typeof out> = {
      [T.STDOUT]: 'stdout',
      [T.STDERR]: 'stderr',
      [T.DATA]: 'data',
    };
    for (;;) {
      const { type, body } = await this.next((f) => f.type >= T.STDOUT);
      const kind = kinds[type];
      if (!kind) return out;
      out[kind] += body.toString('latin1');
    }
  }

  /** Output until it contains `text`. */
  async output(text: string): Promise<string> {
    let seen = '';
    while (!seen.includes(text)) seen += (await this.next((f) => f.type === T.STDOUT)).body.toString();
    return seen;
  }
}

/** A running berth-init. */
export class Init {
  readonly directory: string;
  readonly child: ChildProcess;
  errors = '';
  #peers: Peer[] = [];

  private constructor(directory: string, child: ChildProcess) {
    this.directory = directory;
    this.child = child;
    child.stderr?.on('data', (chunk: Buffer) => {
      this.errors += chunk.toString();
    });
  }

  /** `wrapper`: a command before berth-init, such as unshare, which makes it PID 1. */
  static async start(wrapper: readonly string[] = [], isPid1 = wrapper.length > 0): Promise<Init> {
    const binaries = compile();
    const directory = mkdtempSync(path.join(os.tmpdir(), 'berth-init-run-'));
    const program = path.join(binaries, 'berth-init');
    const command = [...wrapper, program, ...(isPid1 ? [] : ['--not-pid1'])];
    const child = spawn(path.join(binaries, 'listen'), [path.join(directory, 's'), ...command], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        ASAN_OPTIONS: 'detect_leaks=1:quarantine_size_mb=1',
        UBSAN_OPTIONS: 'print_stacktrace=1',
      },
    });
    const init = new Init(directory, child);
    await until(() => existsSync(path.join(directory, 's')), 'the socket is there');
    return init;
  }

  file(name: string): string {
    return path.join(this.directory, name);
  }

  async connect(): Promise<Peer> {
    const socket = net.connect({ path: this.file('s'), allowHalfOpen: true });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    const peer = new Peer(socket);
    this.#peers.push(peer);
    return peer;
  }

  async control(): Promise<Peer> {
    const peer = await this.connect();
    await peer.request(T.HELLO, { version: 1 });
    return peer;
  }

  async attach(key: string, flags: number): Promise<Peer> {
    const peer = await this.connect();
    const errno = await peer.errno(T.ATTACH, { key, flags });
    if (errno) throw new Error(`attach: errno ${errno}`);
    return peer;
  }

  /** Resident memory in KiB that is its own (with the sanitizers' share). */
  memory(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))?.[1]);
  }

  descriptors(): number {
    return readdirSync(`/proc/${this.child.pid}/fd`).length;
  }

  /** Ends it; resolves with its exit code. The sanitizers' findings are the error. */
  async stop(): Promise<number | null> {
    const ended = new Promise<void>((resolve) => {
      if (this.child.exitCode !== null || this.child.signalCode !== null) resolve();
      else this.child.once('exit', () => resolve());
    });
    if (!this.child.killed && this.child.exitCode === null) {
      const peer = await this.connect();
      await peer.request(T.SHUTDOWN, { timeout: 300 });
    }
    await Promise.race([ended, wait(10_000)]);
    if (this.child.exitCode === null) this.child.kill('SIGKILL');
    for (const peer of this.#peers) peer.socket.destroy();
    rmSync(this.directory, { recursive: true, force: true });
    if (/Sanitizer|runtime error/.test(this.errors)) throw new Error(this.errors);
    return this.child.exitCode;
  }

  mkdir(name: string): string {
    mkdirSync(this.file(name), { recursive: true });
    return this.file(name);
  }
}

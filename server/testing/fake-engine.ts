// A stand-in for the engine in tests: the control API over a Unix socket, with this machine's bash as the lab host.

import { execFile } from 'node:child_process';
import { EventEmitter } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import {
  type Activity,
  CreateTerminal,
  RunRequest,
  type SandboxInfo,
  TerminalSize,
} from '../../engine/client/types.ts';
import { FakeTerminal } from './fake-terminal.ts';

const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: berth-stream\r\n\r\n';

interface FakeSandbox {
  info: SandboxInfo;
  terminals: Map<string, FakeTerminal>;
}

/** Starts, stops and starts again like the engine; what it holds survives its stops. */
export class FakeEngine {
  readonly sandboxes = new Map<string, FakeSandbox>();
  /** port in the lab host to the port of this machine that stands for it */
  readonly ports = new Map<number, number>();
  readonly requests: string[] = [];
  /** milliseconds that making a sandbox takes */
  slowness = 0;
  readonly #activity = new EventEmitter();
  readonly #connections = new Set<Duplex>();
  #server: http.Server | undefined;

  constructor(
    readonly socketPath: string,
    /** where its programs run */
    readonly directory: string,
  ) {
    this.#activity.setMaxListeners(100);
  }

  async start(): Promise<void> {
    const server = http.createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => fail(response, 500, String(error)));
    });
    server.on('connection', (socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
    });
    server.on('upgrade', (request: IncomingMessage, socket: Duplex) => this.#upgrade(request, socket));
    await new Promise<void>((resolve) => server.listen(this.socketPath, resolve));
    this.#server = server;
  }

  /** As kill -9 would: every connection breaks, terminals go on. */
  async stop(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await new Promise<void>((resolve) => {
      if (this.#server) this.#server.close(() => resolve());
      else resolve();
    });
    this.#server = undefined;
  }

  /** Ends everything. */
  async dispose(): Promise<void> {
    for (const { terminals } of this.sandboxes.values()) for (const each of terminals.values()) each.kill();
    await this.stop();
  }

  tell(name: string, activity: Activity): void {
    this.#activity.emit(name, activity);
  }

  terminal(sandbox: string, id: string): FakeTerminal | undefined {
    return this.sandboxes.get(sandbox)?.terminals.get(id);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://engine');
    const [, , , name = '', subject = '', id = '', verb = ''] = pathname.split('/');
    const { method } = request;
    this.requests.push(`${method} ${pathname}`);
    const body = method === 'POST' ? await readJson(request) : undefined;
    if (name === '' && method === 'POST') return this.#create(body, response);
    const sandbox = this.sandboxes.get(name);
    if (!sandbox) return fail(response, 404, `no such sandbox: ${name}`);
    if (subject === '') return send(response, sandbox.info);
    if (subject === 'activity') return this.#stream(name, response);
    if (subject === 'run') return send(response, await this.#run(RunRequest.parse(body)));
    if (subject === 'processes') return send(response, []);
    if (subject === 'docker') return fail(response, 404, 'the fake engine has no Docker');
    if (subject !== 'terminals') return this.#change(sandbox, subject, response);
    return this.#terminals(sandbox, { method, id, verb, body }, response);
  }

  async #create(body: unknown, response: ServerResponse): Promise<void> {
    const { name } = Object(body);
    await new Promise((resolve) => setTimeout(resolve, this.slowness));
    const info: SandboxInfo = {
      id: `id-${name}`,
      name,
      hostname: 'lab',
      state: 'running',
      created: new Date().toISOString(),
      limits: { memory: 2 ** 30, cpus: 1, pids: 512, disk: 2 ** 32 },
      dockerSocket: '/nowhere',
      pid: 1,
      uidBase: 3_000_000,
      internet: false,
    };
    this.sandboxes.set(name, { info, terminals: new Map() });
    send(response, info, 201);
  }

  #change(sandbox: FakeSandbox, verb: string, response: ServerResponse): void {
    const { name } = sandbox.info;
    if (verb === 'reset') {
      for (const terminal of sandbox.terminals.values()) terminal.kill();
      sandbox.terminals.clear();
    }
    sandbox.info.state = verb === 'freeze' ? 'frozen' : 'running';
    this.tell(name, { kind: 'sandbox', state: verb === 'reset' ? 'reset' : sandbox.info.state });
    send(response, sandbox.info);
  }

  #stream(name: string, response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
    response.flushHeaders();
    const listener = (activity: Activity) => response.write(`${JSON.stringify(activity)}\n`);
    this.#activity.on(name, listener);
    response.once('close', () => this.#activity.off(name, listener));
  }

  #run({ argv, env, stdin }: RunRequest): Promise<object> {
    const [program = '', ...rest] = argv;
    return new Promise((resolve) => {
      const options = {
        cwd: this.directory,
        env: { PATH: process.env.PATH, SHLVL: '2', ...env },
        timeout: 10_000,
      };
      const child = execFile(program, rest, options, (error, stdout, stderr) => {
        const exitCode = error ? (typeof error.code === 'number' ? error.code : 1) : 0;
        resolve({ exitCode, stdout, stderr, truncated: false, timedOut: false });
      });
      // a program may end without reading
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(stdin ?? '');
    });
  }

  async #terminals(
    { info, terminals }: FakeSandbox,
    { method, id, verb, body }: { method: string | undefined; id: string; verb: string; body: unknown },
    response: ServerResponse,
  ): Promise<void> {
    if (id === '' && method === 'GET') return send(response, [...terminals.values()].map(infoOf));
    if (id === '') {
      const request = CreateTerminal.parse(body);
      const hint = () => this.tell(info.name, { kind: 'terminal', terminal: request.id });
      const terminal = terminals.get(request.id) ?? new FakeTerminal(request.id, this.directory, hint);
      terminals.set(request.id, terminal);
      return send(response, infoOf(terminal), 201);
    }
    const terminal = terminals.get(id);
    if (!terminal) return fail(response, 404, `no such terminal: ${id} in ${info.name}`);
    if (verb === 'resize') {
      const { rows, cols } = TerminalSize.parse(body);
      await terminal.resize(rows, cols);
      return send(response, {});
    }
    if (method !== 'DELETE') return send(response, infoOf(terminal));
    terminal.kill();
    terminals.delete(id);
    send(response, {});
  }

  #upgrade(request: IncomingMessage, socket: Duplex): void {
    socket.on('error', () => socket.destroy());
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://engine');
    const [, , , name = '', subject = '', id = ''] = pathname.split('/');
    if (subject === 'dial') {
      this.#dial(Number(searchParams.get('port')), socket);
      return;
    }
    const terminal = this.terminal(name, id);
    if (!terminal) {
      const body = JSON.stringify({ message: `no such terminal: ${id}` });
      socket.end(`HTTP/1.1 404 Not Found\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      return;
    }
    socket.write(SWITCHING);
    terminal.attach(socket, searchParams.get('replay') === '1');
  }

  #dial(port: number, socket: Duplex): void {
    const target = net.connect({ port: this.ports.get(port) ?? 1, host: '127.0.0.1' });
    target.once('connect', () => {
      socket.write(SWITCHING);
      socket.pipe(target).pipe(socket);
    });
    target.on('error', () => {
      const body = JSON.stringify({ message: `connect to port ${port}: connection refused` });
      socket.end(`HTTP/1.1 502 Bad Gateway\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    });
    socket.once('close', () => target.destroy());
  }
}

/** A fake engine with its socket in `directory`. */
export async function startFakeEngine(directory: string): Promise<FakeEngine> {
  const engine = new FakeEngine(path.join(directory, 'control.sock'), directory);
  await engine.start();
  return engine;
}

function infoOf({ id, exitCode }: FakeTerminal) {
  return exitCode === undefined ? { id, state: 'running' } : { id, state: 'ended', exitCode };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function send(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}

function fail(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent) response.destroy();
  else send(response, { message }, status);
}

// A terminal of the fake engine: a real bash on a real pseudo terminal of this machine, made by script(1).

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Duplex } from 'node:stream';

const RING = 64 * 1024;

/** Holds output for replay, and stops the program while a reader does not read, as berth-init does. */
export class FakeTerminal {
  exitCode: number | undefined;
  /** bytes that the program has written so far */
  written = 0;
  readonly #child: ChildProcess;
  readonly #device: string;
  readonly #events = new EventEmitter();
  readonly #blocked = new Set<Duplex>();
  #hint: NodeJS.Timeout | undefined;
  #ring = Buffer.alloc(0);

  constructor(
    readonly id: string,
    directory: string,
    /** told at most once a second that there was output */
    private readonly onOutput: () => void,
  ) {
    this.#device = path.join(directory, `tty-${id}`);
    const command = `tty > '${this.#device}'; exec bash --noprofile --norc -i`;
    this.#child = spawn('script', ['-qfec', command, '/dev/null'], {
      cwd: directory,
      env: {
        PATH: process.env.PATH,
        HOME: directory,
        TERM: 'xterm-256color',
        PS1: 'root@lab:\\w# ',
        LANG: 'C.UTF-8',
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#pass(chunk));
    this.#child.stdin?.on('error', () => undefined);
    this.#child.once('close', (code) => {
      this.exitCode = code ?? 0;
      this.#events.emit('end');
    });
  }

  /** Joins a connection; `replay` sends the last output first. */
  attach(socket: Duplex, replay: boolean): void {
    if (replay) socket.write(this.#ring);
    const onData = (chunk: Buffer) => {
      if (!socket.write(chunk)) this.#block(socket);
    };
    const onEnd = () => socket.end();
    this.#events.on('data', onData).on('end', onEnd);
    socket.on('data', (chunk: Buffer) => this.#child.stdin?.write(chunk));
    socket.on('drain', () => this.#unblock(socket));
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      this.#events.off('data', onData).off('end', onEnd);
      this.#unblock(socket);
    });
    if (this.exitCode !== undefined) socket.end();
  }

  resize(rows: number, cols: number): Promise<void> {
    return new Promise((resolve) => {
      const device = existsSync(this.#device) ? readFileSync(this.#device, 'utf8').trim() : '';
      const size = ['rows', String(rows), 'cols', String(cols)];
      execFile('stty', ['-F', device, ...size], () => resolve());
    });
  }

  /** script(1) may be stuck writing to us and hear no other signal; its end hangs up what runs in the terminal. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #pass(chunk: Buffer): void {
    this.written += chunk.length;
    this.#ring = Buffer.concat([this.#ring, chunk]).subarray(-RING);
    this.#events.emit('data', chunk);
    this.#hint ??= setTimeout(() => {
      this.#hint = undefined;
      this.onOutput();
    }, 1000).unref();
  }

  #block(socket: Duplex): void {
    this.#blocked.add(socket);
    this.#child.stdout?.pause();
  }

  #unblock(socket: Duplex): void {
    this.#blocked.delete(socket);
    if (this.#blocked.size === 0) this.#child.stdout?.resume();
  }
}

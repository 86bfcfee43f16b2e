// A whole Berth of a test's own: the berth command, which supervises a real engine and a real unprivileged server.

import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlClient } from '../../engine/client/client.ts';
import { type CommandResult, runCommand } from './docker.ts';
import { CHECKOUT, SETUP_DATA } from './engine.ts';

const PROGRAM = path.join(CHECKOUT, 'dist/berth.js');

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}

export class TestBerth {
  private supervisor: ChildProcess | undefined;
  readonly control: ControlClient;

  private constructor(
    readonly base: string,
    /** http://localhost:<port> */
    readonly url: string,
    private readonly env: Record<string, string>,
  ) {
    this.control = new ControlClient(path.join(base, 'run/control.sock'));
  }

  static async start(): Promise<TestBerth> {
    const base = await mkdtemp(path.join(os.tmpdir(), 'berth-test-'));
    // The server's user reads its copy of the application in here.
    await chmod(base, 0o755);
    await mkdir(path.join(base, 'data'));
    for (const name of ['bin', 'host-image', 'images', 'seccomp.json']) {
      await symlink(path.join(SETUP_DATA, name), path.join(base, 'data', name));
    }
    const port = await freePort();
    const berth = new TestBerth(base, `http://localhost:${port}`, {
      BERTH_DATA: path.join(base, 'data'),
      BERTH_RUN: path.join(base, 'run'),
      BERTH_PORT: String(port),
      BERTH_UID_BASE: '450000000',
      BERTH_PROJECT: CHECKOUT,
      BERTH_LOG_LEVEL: 'warn',
    });
    await berth.up();
    return berth;
  }

  /** The berth command, as an operator types it. */
  berth(...args: string[]): Promise<CommandResult> {
    return runCommand([process.execPath, PROGRAM, ...args], { env: this.env });
  }

  async up(): Promise<void> {
    const output: Buffer[] = [];
    const child = spawn(process.execPath, [PROGRAM, 'up', '--foreground'], {
      env: { ...process.env, ...this.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
    this.supervisor = child;
    const deadline = Date.now() + 20_000;
    while (!(await this.answers())) {
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`berth up does not serve ${this.url}: ${Buffer.concat(output)}`);
      }
      await sleep(50);
    }
  }

  private answers(): Promise<boolean> {
    return fetch(`${this.url}/api/labs`).then(
      (response) => response.ok,
      () => false,
    );
  }

  /** A folder that everybody may read with a copy of the berth program in it: the checkout may be closed to others. */
  async readableProgram(): Promise<string> {
    const folder = path.join(this.base, 'program');
    await mkdir(folder, { recursive: true });
    await copyFile(PROGRAM, path.join(folder, 'berth.js'));
    await writeFile(path.join(folder, 'package.json'), '{"type":"module"}');
    return folder;
  }

  /** Sends the supervisor a signal, as ^C or an init system does, and waits for its end. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.supervisor;
    if (!child || child.exitCode !== null || child.signalCode !== null) return null;
    const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    return gone;
  }

  /** Ends everything, lab hosts included, and removes the directories. */
  async dispose(): Promise<void> {
    await this.berth('down');
    await this.end('SIGTERM');
    await rm(this.base, { recursive: true, force: true });
  }
}

// A Berth engine of a test's own: real process, real sandboxes, own data and run directories, shared read-only set-up.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ControlClient } from '../../engine/client/client.ts';
import { cgroupParent } from '../../engine/sandbox/instance.ts';
import { DockerCli, dockerCommand, runCommand } from './docker.ts';

export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));

/** The data directory that set-up filled; a test reads from it and never writes. */
export const SETUP_DATA = process.env.BERTH_DATA ?? '/var/lib/berth';

/** Why the real engine cannot run here, or undefined: for `describe.skipIf`, said aloud in the title. */
export const engineMissing: string | undefined =
  process.getuid?.() !== 0
    ? 'not root'
    : !existsSync(path.join(SETUP_DATA, 'host-image/root'))
      ? `no host image in ${SETUP_DATA}; npm test sets it up`
      : undefined;

let instances = 0;

export class TestEngine {
  private process: ChildProcess | undefined;
  readonly control: ControlClient;

  private constructor(
    readonly dataDir: string,
    readonly runDir: string,
    /** host id of the first sandbox's root */
    readonly uidBase: number,
    private readonly env: NodeJS.ProcessEnv,
    /** what the engine is run through: `nsenter --net=…` */
    private readonly wrapper: readonly string[],
  ) {
    this.control = new ControlClient(path.join(runDir, 'control.sock'));
  }

  /**
   * Starts an engine with empty state. `env` adds settings; `wrapper` is a command that runs it; `ownImages` gives it a store
   * of images that it may write to.
   */
  static async start(
    env: NodeJS.ProcessEnv = {},
    wrapper: readonly string[] = [],
    ownImages = false,
  ): Promise<TestEngine> {
    const base = await mkdtemp(path.join(os.tmpdir(), 'berth-test-'));
    const dataDir = path.join(base, 'data');
    const runDir = path.join(base, 'run');
    await mkdir(dataDir);
    for (const name of ['bin', 'host-image', 'images', 'seccomp.json']) {
      if (name === 'images' && ownImages) {
        // hard links, where the file system is the same; but not of what is written in its place
        const [from, to] = [`${path.join(SETUP_DATA, name)}/.`, path.join(dataDir, name)];
        const script = `cp -al "$0" "$1" 2>/dev/null || { rm -rf "$1"; cp -a "$0" "$1"; }
          cp --remove-destination "$0/catalogue.json" "$1/catalogue.json"`;
        const copied = await runCommand(['sh', '-c', script, from, to]);
        if (copied.code !== 0) throw new Error(copied.stderr);
        continue;
      }
      await symlink(path.join(SETUP_DATA, name), path.join(dataDir, name));
    }
    // Uid ranges of engines that run at the same time must not meet.
    const uidBase = 500_000_000 + ((process.pid % 64) * 8 + (instances++ % 8)) * 65536 * 100;
    const settings = {
      ...process.env,
      BERTH_DATA: dataDir,
      BERTH_RUN: runDir,
      BERTH_UID_BASE: String(uidBase),
      BERTH_LOG_LEVEL: 'warn',
      ...env,
    };
    const engine = new TestEngine(dataDir, runDir, uidBase, settings, wrapper);
    await engine.up();
    return engine;
  }

  get pid(): number {
    const pid = this.process?.pid;
    if (!pid) throw new Error('the engine is not running');
    return pid;
  }

  /** Starts the engine process (again) and waits until it answers. */
  async up(): Promise<void> {
    const log: Buffer[] = [];
    const [program = process.execPath, ...args] = [
      ...this.wrapper,
      process.execPath,
      path.join(CHECKOUT, 'dist/engine.js'),
    ];
    const child = spawn(program, args, {
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.on('data', (chunk: Buffer) => log.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => log.push(chunk));
    this.process = child;
    const deadline = Date.now() + 20_000;
    for (;;) {
      if (child.exitCode !== null) throw new Error(`the engine ended: ${Buffer.concat(log)}`);
      const answered = await this.control.health().then(
        () => true,
        () => false,
      );
      if (answered) return;
      if (Date.now() > deadline) throw new Error(`the engine does not answer: ${Buffer.concat(log)}`);
      await sleep(20);
    }
  }

  /** Ends the engine process; sandboxes go on. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
    this.process = undefined;
  }

  /** The real docker CLI on a sandbox. */
  async docker(sandbox: string): Promise<DockerCli> {
    const { dockerSocket } = await this.control.sandbox(sandbox);
    return new DockerCli(dockerCommand(path.join(SETUP_DATA, 'host-image/root')), dockerSocket);
  }

  /** Deletes every sandbox, ends the engine and removes its directories. */
  async dispose(): Promise<void> {
    if (!this.process) await this.up();
    for (const sandbox of await this.control.sandboxes()) await this.control.deleteSandbox(sandbox.name);
    await this.end('SIGTERM');
    await rm(path.dirname(this.dataDir), { recursive: true, force: true });
  }
}

/** What a sandbox may leave behind on the host: counted before and after, the numbers must be the same. */
export interface Traces {
  mounts: number;
  loopDevices: number;
  cgroups: number;
  processes: number;
  files: string[];
}

/** Counts what belongs to this engine's sandboxes: by its directories, and by its range of user ids. */
export async function countTraces(engine: TestEngine): Promise<Traces> {
  const { stdout: loops } = await runCommand(['losetup', '--list', '--noheadings', '--output', 'BACK-FILE']);
  const { stdout: cgroups } = await runCommand([
    'find',
    '/sys/fs/cgroup',
    '-mindepth',
    '2',
    '-type',
    'd',
    '-path',
    // engines of one host have cgroups of different names
    `*/${cgroupParent(engine.dataDir)}/*`,
  ]);
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const owners = await Promise.all(pids.map(ownerOf));
  const contains = (text: string) =>
    text.split('\n').filter((line) => line.includes(path.dirname(engine.dataDir))).length;
  return {
    mounts: contains(await readFile('/proc/mounts', 'utf8')),
    loopDevices: contains(loops),
    cgroups: cgroups.split('\n').filter(Boolean).length,
    processes: owners.filter((uid) => uid >= engine.uidBase && uid < engine.uidBase + 65536 * 100).length,
    files: [
      ...(await readdir(path.join(engine.dataDir, 'sandboxes')).catch(() => [])),
      ...(await readdir(path.join(engine.runDir, 'sandboxes')).catch(() => [])),
    ],
  };
}

/** The uid of a process, or -1 when it is gone or a zombie, which waits for the host's PID 1 only. */
async function ownerOf(pid: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tZ');
  return /^State:\s+[ZX]/m.test(status) ? -1 : Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? -1);
}

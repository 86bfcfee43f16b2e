// Keeps the engine and the server running: starts them, starts them again with growing pauses when they die, ends them in order.

import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;
/** Having run this long, a process counts as healthy again. */
const HEALTHY_AFTER = 30_000;
const PATIENCE = 10_000;
const LOG_MAX = 10 * 2 ** 20;
const TAIL = 4096;

/** A program to keep running. */
export interface Service {
  name: string;
  argv: readonly string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  user?: { uid: number; gid: number };
  logFile: string;
  /** resolves true once it answers; asked again and again */
  isReady(): Promise<boolean>;
}

/** One service under supervision. */
export class Supervised {
  readonly #service: Service;
  readonly #say: (line: string) => void;
  #child: ChildProcess | undefined;
  #isEnding = false;
  #pause = FIRST_PAUSE;
  #loop: Promise<void> = Promise.resolve();

  constructor(service: Service, say: (line: string) => void) {
    this.#service = service;
    this.#say = say;
  }

  /** Starts it and waits until it answers. Rejects with the end of its log when it dies before, or never answers. */
  async start(timeout: number): Promise<void> {
    rotate(this.#service.logFile);
    const logStart = fileSize(this.#service.logFile);
    let isDead = false;
    const ended = this.#spawn();
    void ended.then(() => {
      isDead = true;
    });
    const deadline = Date.now() + timeout;
    while (!(await this.#service.isReady())) {
      if (isDead || Date.now() > deadline) {
        await this.end();
        const reason = isDead ? 'ended at once' : `does not answer after ${timeout / 1000} s`;
        throw new Error(
          `the ${this.#service.name} ${reason}; its log (${this.#service.logFile}) ends:\n${this.#logTail(logStart)}`,
        );
      }
      await sleep(25);
    }
    this.#loop = this.#keep(ended);
  }

  async #keep(first: Promise<string>): Promise<void> {
    let ended = first;
    for (;;) {
      const started = Date.now();
      const reason = await ended;
      if (this.#isEnding) return;
      if (Date.now() - started > HEALTHY_AFTER) this.#pause = FIRST_PAUSE;
      this.#say(
        `the ${this.#service.name} ${reason}; starting it again in ${this.#pause / 1000} s (log: ${this.#service.logFile})`,
      );
      await sleep(this.#pause);
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
      if (this.#isEnding) return;
      ended = this.#spawn();
    }
  }

  /** Runs it once; resolves with why it ended. */
  #spawn(): Promise<string> {
    const { argv, env, cwd, user, logFile } = this.#service;
    const log = fs.openSync(logFile, 'a', 0o640);
    // A session of its own, so that ^C reaches us alone and we end things in order; and an end with ours if we are killed.
    const identity = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : [];
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', ...identity, ...argv], {
      stdio: ['ignore', log, log],
      env,
      cwd,
      detached: true,
    });
    fs.closeSync(log);
    this.#child = child;
    return new Promise((resolve) => {
      child.once('error', (error) => resolve(`could not be started (${error.message})`));
      child.once('exit', (code, signal) =>
        resolve(signal ? `was killed by ${signal}` : `ended with exit code ${code}`),
      );
    });
  }

  /** Ends it: SIGTERM, and SIGKILL when that is not heard. */
  async end(): Promise<void> {
    this.#isEnding = true;
    const child = this.#child;
    if (child && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
      await gone;
      clearTimeout(timer);
    }
    await Promise.race([this.#loop, sleep(0)]);
  }

  #logTail(from: number): string {
    const text = fs.readFileSync(this.#service.logFile).subarray(from).toString('utf8');
    return text.slice(-TAIL).trim();
  }
}

/** A log that has grown large becomes `<name>.1`, in place of the one before. */
function rotate(file: string): void {
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o750 });
  if (fileSize(file) > LOG_MAX) fs.renameSync(file, `${file}.1`);
}

function fileSize(file: string): number {
  return fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

// Running the programs that set-up needs (apt-get, mmdebstrap, tar, cc): their output line by line, and an end to them with ours.

import { spawn } from 'node:child_process';
import readline from 'node:readline';

/** How to run a program. */
export interface ProgramOptions {
  cwd?: string;
  /** added to our own environment */
  env?: Record<string, string>;
  signal?: AbortSignal;
  /** called with each line of standard output and standard error */
  onLine?: (line: string) => void;
  /**
   * Own mount and pid namespaces that end with us, even by kill -9: nothing it mounts or starts stays behind.
   * For programs that mount (mmdebstrap, overlay builds).
   */
  isolated?: boolean;
}

const LINES_KEPT = 20;
const OUTPUT_MAX = 16 * 2 ** 20;

/** What comes before a program that is to end with us, mounts and all. */
export const ISOLATION: readonly string[] = [
  ...['setpriv', '--pdeathsig', 'KILL'],
  ...['unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'],
];

/** A program that could not be run or did not succeed; the message holds the last lines that it wrote. */
export class ProgramFailed extends Error {
  constructor(
    readonly program: string,
    reason: string,
    readonly lastLines: readonly string[],
  ) {
    super([`${program} ${reason}`, ...lastLines.map((line) => `  ${line}`)].join('\n'));
    this.name = 'ProgramFailed';
  }
}

/** Runs a program to its end and gives its standard output. Rejects with ProgramFailed unless it exits with 0. */
export async function runProgram(argv: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const program = argv[0] ?? '';
  const [command = '', ...parameters] = options.isolated ? [...ISOLATION, ...argv] : argv;
  const child = spawn(command, parameters, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    killSignal: options.isolated ? 'SIGKILL' : 'SIGTERM',
  });
  const lastLines: string[] = [];
  const collected: string[] = [];
  let size = 0;
  const noteLine = (line: string): void => {
    if (line.trim() === '') return;
    lastLines.push(line);
    if (lastLines.length > LINES_KEPT) lastLines.shift();
    options.onLine?.(line);
  };
  readline.createInterface({ input: child.stderr }).on('line', noteLine);
  readline.createInterface({ input: child.stdout }).on('line', (line) => {
    size += line.length + 1;
    if (size <= OUTPUT_MAX) collected.push(line);
    noteLine(line);
  });
  return await new Promise((resolve, reject) => {
    child.once('error', (error) => {
      if (options.signal?.aborted) reject(options.signal.reason);
      else reject(new ProgramFailed(program, `could not be run: ${error.message}`, []));
    });
    child.once('close', (code, signal) => {
      if (options.signal?.aborted) reject(options.signal.reason);
      else if (code === 0) resolve(collected.join('\n'));
      else
        reject(
          new ProgramFailed(
            program,
            signal ? `was killed by ${signal}` : `failed with exit code ${code}`,
            lastLines,
          ),
        );
    });
  });
}

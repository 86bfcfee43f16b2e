// The real docker CLI, as a test or benchmark drives it from outside a sandbox.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

/** What a finished command left behind. */
export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  stdin?: string | Uint8Array;
  env?: Record<string, string>;
  /** milliseconds after which the command is killed and the call rejects; default 60 s */
  timeout?: number;
}

/** Runs a program to its end; its output is text. Rejects only when it cannot be started or takes too long. */
export function runCommand(argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const [file, ...args] = argv;
    if (!file) throw new Error('no command');
    const child = spawn(file, args, { env: { ...process.env, ...options.env }, stdio: 'pipe' });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(
        new Error(`${argv.join(' ')}: no end after ${options.timeout ?? 60_000} ms\n${Buffer.concat(err)}`),
      );
    }, options.timeout ?? 60_000);
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => {});
    child.stdin.end(options.stdin ?? '');
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({
        code: code ?? (signal === 'SIGKILL' ? 137 : 128),
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      });
    });
  });
}

/**
 * How to start the docker CLI on the host: the host image's own binary, by the host image's own loader, because the
 * host may have no docker CLI and an older libc.
 */
export function dockerCommand(hostImage: string): readonly string[] {
  const loader = ['lib64/ld-linux-x86-64.so.2', 'lib/ld-linux-aarch64.so.1']
    .map((file) => path.join(hostImage, file))
    .find((file) => existsSync(file));
  if (!loader) throw new Error(`${hostImage} has no dynamic loader; run npm test, which sets it up`);
  const libraries = ['x86_64-linux-gnu', 'aarch64-linux-gnu'].map((arch) =>
    path.join(hostImage, 'usr/lib', arch),
  );
  return [loader, '--library-path', libraries.join(':'), path.join(hostImage, 'usr/bin/docker')];
}

/** The docker CLI bound to one daemon. */
export class DockerCli {
  constructor(
    readonly command: readonly string[],
    /** path of the daemon's socket on the host */
    readonly socket: string,
  ) {}

  argv(...args: string[]): string[] {
    return [...this.command, '-H', `unix://${this.socket}`, ...args];
  }

  run(args: readonly string[], options?: RunOptions): Promise<CommandResult> {
    return runCommand(this.argv(...args), options);
  }

  /** Runs and gives trimmed stdout; rejects with stderr when it fails. */
  async ok(...args: string[]): Promise<string> {
    const result = await this.run(args);
    if (result.code !== 0) throw new Error(`docker ${args.join(' ')}: exit ${result.code}: ${result.stderr}`);
    return result.stdout.trim();
  }

  /** Runs under a pseudo terminal made by script(1); stdout is what the terminal showed. */
  tty(args: readonly string[], options?: RunOptions): Promise<CommandResult> {
    const quoted = this.argv(...args).map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
    return runCommand(['script', '-qec', quoted.join(' '), '/dev/null'], options);
  }
}

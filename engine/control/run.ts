// Runs a program in the lab host to its end, and collects what it says.

import { randomBytes } from 'node:crypto';
import type { RunRequest, RunResult } from '../client/types.ts';
import { InvalidParameter, NotFound } from '../errors.ts';
import { type Attachment, type InitApi, type ProcessSpec, StartFailed } from '../sandbox/init-types.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { LOGIN_ENVIRONMENT } from './terminals.ts';

const DEFAULT_TIMEOUT = 10_000;
const DEFAULT_OUTPUT = 64 * 1024;
const SIGKILL = 9;
/** What a shell answers for a program that is not there, or that may not be executed. */
const EXIT_NOT_FOUND = 127;
const EXIT_NOT_EXECUTABLE = 126;
const ENOENT = 2;

/** What was kept of one stream. */
class Collected {
  readonly #chunks: Buffer[] = [];
  readonly #limit: number;
  #size = 0;
  isTruncated = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(data: Buffer): void {
    const room = this.#limit - this.#size;
    if (data.length > room) this.isTruncated = true;
    // a copy: what was received is a part of a larger buffer
    if (room > 0) this.#chunks.push(Buffer.from(data.subarray(0, room)));
    this.#size += Math.min(room, data.length);
  }

  toString(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}

export async function runProgram(sandbox: Sandbox, request: RunRequest): Promise<RunResult> {
  const { init } = sandbox;
  const limit = request.maxOutput ?? DEFAULT_OUTPUT;
  const stdout = new Collected(limit);
  const stderr = new Collected(limit);
  const spec: ProcessSpec = {
    key: `run.${randomBytes(8).toString('hex')}`,
    argv: request.argv,
    env: environmentOf(request),
    cwd: request.cwd ?? '/root',
    openStdin: request.stdin !== undefined,
    stdinOnce: request.stdin !== undefined,
  };
  await init.reserve(spec);
  const attachment = await init.attach(spec.key, {
    stdin: request.stdin !== undefined,
    stdinOnce: request.stdin !== undefined,
    stdout: true,
    stderr: true,
  });
  const reading = collect(attachment, stdout, stderr);
  reading.catch(() => undefined); // awaited below, after the start has told more
  const result = (exitCode: number, timedOut: boolean): RunResult => ({
    exitCode,
    stdout: stdout.toString(),
    stderr: stderr.toString(),
    truncated: stdout.isTruncated || stderr.isTruncated,
    timedOut,
  });
  try {
    await init.start([], spec);
    if (request.stdin) attachment.stdin.write(Buffer.from(request.stdin, 'utf8'));
    attachment.stdin.end();
    const ended = await waitOrKill(init, spec.key, request.timeout ?? DEFAULT_TIMEOUT);
    await reading;
    return result(ended.status, ended.timedOut);
  } catch (error) {
    if (!(error instanceof StartFailed)) throw error;
    stderr.add(Buffer.from(`${error.text}\n`));
    return result(error.errno === ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE, false);
  } finally {
    attachment.close();
    await init.forget(spec.key).catch(() => undefined);
  }
}

function environmentOf(request: RunRequest): string[] {
  const own = Object.entries(request.env ?? {});
  const bad = own.find(([name]) => name === '' || name.includes('='));
  if (bad) throw new InvalidParameter(`"${bad[0]}" is not the name of an environment variable`);
  const names = new Set(own.map(([name]) => name));
  const inherited = LOGIN_ENVIRONMENT.filter((entry) => !names.has(entry.slice(0, entry.indexOf('='))));
  return [...inherited, ...own.map(([name, value]) => `${name}=${value}`)];
}

async function collect(attachment: Attachment, stdout: Collected, stderr: Collected): Promise<void> {
  for await (const { stream, data } of attachment.output) (stream === 'stdout' ? stdout : stderr).add(data);
}

async function waitOrKill(
  init: InitApi,
  key: string,
  timeout: number,
): Promise<{ status: number; timedOut: boolean }> {
  const late = AbortSignal.timeout(timeout);
  try {
    return { status: (await init.waitExit(key, late)).status, timedOut: false };
  } catch (error) {
    if (!late.aborted) throw error;
  }
  await init.signal(key, SIGKILL, { group: true }).catch((error: unknown) => {
    if (!(error instanceof NotFound)) throw error;
  });
  return { status: (await init.waitExit(key, AbortSignal.timeout(5000))).status, timedOut: true };
}

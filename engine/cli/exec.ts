// Running a program in a lab host from the operator's terminal, or from a script.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlClient } from '../client/client.ts';
import type { TerminalInfo } from '../client/types.ts';
import { UsageError } from './command.ts';

const STDIN_MAX = 512 * 1024;
const OUTPUT_MAX = 4 * 2 ** 20;
const TIMEOUT = 600_000;
const TIMED_OUT = 124;
/** The stream may end a moment before the exit code is known. */
const EXIT_PATIENCE = 5_000;

/** Runs it, with a terminal when there is one here; gives its exit code. */
export async function execInSandbox(client: ControlClient, name: string, argv: string[]): Promise<number> {
  return process.stdin.isTTY && process.stdout.isTTY
    ? await execOnTerminal(client, name, argv)
    : await execWithPipes(client, name, argv);
}

async function execWithPipes(client: ControlClient, name: string, argv: string[]): Promise<number> {
  const stdin = process.stdin.isTTY ? undefined : await readStdin();
  const result = await client.run(name, {
    argv,
    timeout: TIMEOUT,
    maxOutput: OUTPUT_MAX,
    ...(stdin === undefined ? {} : { stdin }),
  });
  process.stdout.write(result.stdout);
  process.stderr.write(result.stderr);
  if (result.truncated) process.stderr.write(`berth: output beyond ${OUTPUT_MAX} bytes was dropped\n`);
  if (!result.timedOut) return result.exitCode;
  process.stderr.write(`berth: ended after ${TIMEOUT / 60_000} minutes\n`);
  return TIMED_OUT;
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > STDIN_MAX)
      throw new UsageError(`standard input is larger than ${STDIN_MAX} bytes; put it in a file first`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function execOnTerminal(client: ControlClient, name: string, argv: string[]): Promise<number> {
  const { stdin, stdout } = process;
  const size = (): { rows: number; cols: number } => ({
    rows: stdout.rows || 24,
    cols: stdout.columns || 80,
  });
  const id = `exec-${randomBytes(6).toString('hex')}`;
  await client.createTerminal(name, { id, ...size(), argv });
  const resize = (): void => void client.resizeTerminal(name, id, size()).catch(() => {});
  try {
    const stream = await client.openTerminal(name, id, { replay: true });
    stdout.on('resize', resize);
    stdin.setRawMode(true);
    stdin.pipe(stream, { end: false });
    stream.pipe(stdout, { end: false });
    await new Promise<void>((resolve, reject) => {
      stream.once('error', reject);
      stream.once('end', resolve);
      stream.once('close', resolve);
    });
    stdin.unpipe(stream);
    stream.destroy();
    return (await ended(client, name, id)).exitCode ?? 1;
  } finally {
    stdout.off('resize', resize);
    stdin.setRawMode(false);
    stdin.pause();
    await client.deleteTerminal(name, id).catch(() => {});
  }
}

async function ended(client: ControlClient, name: string, id: string): Promise<TerminalInfo> {
  const deadline = Date.now() + EXIT_PATIENCE;
  for (;;) {
    const info = await client.terminal(name, id);
    if (info.state === 'ended' || Date.now() > deadline) return info;
    await sleep(20);
  }
}

// Runs a program of the lab host to its end and keeps what it printed, bounded.

import { randomBytes } from 'node:crypto';
import type { InitApi } from '../sandbox/init-types.ts';

export interface Captured {
  exitCode: number;
  stdout: string;
  stderr: string;
}

const LIMIT = 2 ** 20;
const TIMEOUT = 10_000;
const SIGKILL = 9;

/** Runs `argv` as the lab host's root. */
export async function capture(init: InitApi, argv: readonly string[]): Promise<Captured> {
  const process = {
    key: `run.api-${randomBytes(6).toString('hex')}`,
    argv,
    env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C.UTF-8'],
  };
  await init.reserve(process);
  const output = { stdout: '', stderr: '' };
  const attachment = await init.attach(process.key, { stdout: true, stderr: true });
  const timer = setTimeout(() => init.signal(process.key, SIGKILL).catch(() => undefined), TIMEOUT);
  try {
    await init.start([], process);
    for await (const { stream, data } of attachment.output) {
      if (output[stream].length < LIMIT) output[stream] += data.toString('utf8');
    }
    const { status } = await init.waitExit(process.key);
    return { exitCode: status, ...output };
  } finally {
    clearTimeout(timer);
    attachment.close();
    await init.forget(process.key).catch(() => undefined);
  }
}

// Which process runs Berth: a file with its pid and start time, so that a pid used anew is never taken for it.

import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { isSameProcess, processStartTime } from '../sandbox/host-process.ts';

const Holder = z.object({ pid: z.number().int().positive(), startTime: z.string() });
export type Holder = z.infer<typeof Holder>;

/** The process that a pid file names, when it is alive and the same. */
export async function readPidFile(file: string): Promise<Holder | undefined> {
  const text = await fs.readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const parsed = Holder.safeParse(parseOrUndefined(text));
  return parsed.success && (await isSameProcess(parsed.data)) ? parsed.data : undefined;
}

/** Notes this process. */
export async function writePidFile(file: string): Promise<void> {
  await fs.mkdir(path.dirname(file), { recursive: true });
  const startTime = (await processStartTime(process.pid)) ?? '';
  await fs.writeFile(`${file}.tmp`, JSON.stringify({ pid: process.pid, startTime }));
  await fs.rename(`${file}.tmp`, file);
}

/** Signals a process and waits until it is gone; false when it still lives after `patience` milliseconds. */
export async function endProcess(holder: Holder, signal: NodeJS.Signals, patience: number): Promise<boolean> {
  const deadline = Date.now() + patience;
  try {
    process.kill(holder.pid, signal);
  } catch {
    return true;
  }
  while (await isSameProcess(holder)) {
    if (Date.now() > deadline) return false;
    await sleep(30);
  }
  return true;
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

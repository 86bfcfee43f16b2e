// One engine for one data directory: a note of who has it, and the name of its cgroups.

import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { readJsonFile, writeJsonFile } from '../store/json-file.ts';
import { isSameProcess, processStartTime } from './host-process.ts';

const DEFAULT_DATA = '/var/lib/berth';

const Holder = z.object({ pid: z.number().int(), startTime: z.string() });

/** Takes the data directory for this process. Throws when a living engine has it. */
export async function acquireInstance(dataDir: string): Promise<{ release(): Promise<void> }> {
  const file = path.join(dataDir, 'engine.json');
  const holder = await readJsonFile(file, Holder).catch(() => undefined);
  if (holder && holder.pid !== process.pid && (await isSameProcess(holder))) {
    throw new Error(`another engine (pid ${holder.pid}) is using ${dataDir}: stop it first`);
  }
  await writeJsonFile(file, { pid: process.pid, startTime: (await processStartTime(process.pid)) ?? '' });
  return { release: () => rm(file, { force: true }) };
}

/** `berth`, or for another data directory a name of its own, so that engines of one host leave each other's alone. */
export function cgroupParent(dataDir: string): string {
  if (dataDir === DEFAULT_DATA) return 'berth';
  return `berth-${createHash('sha256').update(dataDir).digest('hex').slice(0, 8)}`;
}

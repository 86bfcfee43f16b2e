// Berth's own C programs, compiled for this host: berth-init (a sandbox's PID 1) and berth-launch (which makes sandboxes).

import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { runProgram } from './program.ts';
import { isStamped, stamp } from './stamp.ts';

/** A helper: its name, and the folder of the project that holds its sources and build.sh. */
export interface Helper {
  name: string;
  folder: string;
}

export const HELPERS: readonly Helper[] = [
  { name: 'berth-init', folder: 'engine/init' },
  { name: 'berth-launch', folder: 'engine/sandbox' },
];

/** BERTH_DATA/bin */
export function binDir(dataDir: string): string {
  return path.join(dataDir, 'bin');
}

/** The helpers that are missing, or older than their sources. */
export async function outdatedHelpers(dataDir: string, projectDir: string): Promise<Helper[]> {
  const outdated: Helper[] = [];
  for (const helper of HELPERS) {
    const program = path.join(binDir(dataDir), helper.name);
    if (!(await isStamped(`${program}.stamp`, await hashSources(projectDir, helper), program)))
      outdated.push(helper);
  }
  return outdated;
}

/** Compiles a helper. Its build script puts the program in place by renaming, so running ones are not disturbed. */
export async function buildHelper(
  dataDir: string,
  projectDir: string,
  helper: Helper,
  signal?: AbortSignal,
): Promise<void> {
  const hash = await hashSources(projectDir, helper);
  const script = path.join(projectDir, helper.folder, 'build.sh');
  await runProgram(['sh', script, binDir(dataDir)], signal ? { signal } : {});
  await stamp(path.join(binDir(dataDir), `${helper.name}.stamp`), hash);
}

async function hashSources(projectDir: string, { folder }: Helper): Promise<string> {
  const directory = path.join(projectDir, folder);
  const names = (await fs.readdir(directory))
    .filter((name) => /\.[ch]$/.test(name) || name === 'build.sh')
    .sort();
  const hash = createHash('sha256');
  for (const name of names) hash.update(`${name}\0`).update(await fs.readFile(path.join(directory, name)));
  return hash.digest('hex');
}

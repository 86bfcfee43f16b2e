// The running copy of Berth: bundles, web application and labs under BERTH_DATA, readable by the server's user.

import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { hashTree } from '../setup/recipe.ts';
import type { CliSettings } from './settings.ts';

/** What is copied: from the checkout, to the running copy. */
const PARTS: readonly (readonly [from: string, to: string])[] = [
  ['dist/engine.js', 'engine.js'],
  ['dist/server.js', 'server.js'],
  ['dist/web', 'web'],
  ['content/labs', 'labs'],
];

/** Copies what runs to BERTH_DATA/app/<hash> unless it is there, and removes other copies. Gives its directory. */
export async function deploy({ dataDir, projectDir }: CliSettings): Promise<string> {
  const hash = createHash('sha256');
  for (const [from] of PARTS) hash.update(`${from} ${await hashTree(path.join(projectDir, from))}\n`);
  const apps = path.join(dataDir, 'app');
  const name = hash.digest('hex').slice(0, 16);
  const place = path.join(apps, name);
  await fs.mkdir(apps, { recursive: true });
  if (!(await isDirectory(place))) {
    const temporary = path.join(apps, `.${name}.${process.pid}`);
    await fs.rm(temporary, { recursive: true, force: true });
    await fs.mkdir(temporary);
    for (const [from, to] of PARTS) {
      await fs.cp(path.join(projectDir, from), path.join(temporary, to), { recursive: true });
    }
    await openToAll(temporary);
    await fs.rename(temporary, place);
  }
  for (const other of await fs.readdir(apps)) {
    if (other !== name) await fs.rm(path.join(apps, other), { recursive: true, force: true });
  }
  return place;
}

/** Readable by everyone, whatever the umask was. */
async function openToAll(file: string): Promise<void> {
  const stat = await fs.lstat(file);
  if (stat.isDirectory()) {
    await fs.chmod(file, 0o755);
    for (const name of await fs.readdir(file)) await openToAll(path.join(file, name));
  } else if (stat.isFile()) {
    await fs.chmod(file, 0o644);
  }
}

/** The Node program for the server's user: this one, or a copy where a closed directory (/root) is in the way. */
export async function nodeForEveryone(dataDir: string): Promise<string> {
  if (await isOpenToAll(process.execPath)) return process.execPath;
  const copy = path.join(dataDir, 'bin', `node-${process.version}`);
  if (
    !(await fs.stat(copy).then(
      () => true,
      () => false,
    ))
  ) {
    await fs.copyFile(process.execPath, `${copy}.tmp`);
    await fs.chmod(`${copy}.tmp`, 0o755);
    await fs.rename(`${copy}.tmp`, copy);
  }
  return copy;
}

async function isOpenToAll(file: string): Promise<boolean> {
  for (let place = await fs.realpath(file); place !== path.dirname(place); place = path.dirname(place)) {
    if (((await fs.stat(place)).mode & 0o001) === 0) return false;
  }
  return true;
}

async function isDirectory(file: string): Promise<boolean> {
  return await fs.stat(file).then(
    (stat) => stat.isDirectory(),
    () => false,
  );
}

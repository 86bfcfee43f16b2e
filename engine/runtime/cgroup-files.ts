// Reading and writing the kernel's control files, and what both cgroup versions do by walking directories.

import { chown, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

function code(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** True when what was asked for is not there (or was just removed: reading a dying cgroup's file says ENODEV). */
export function isAbsent(error: unknown): boolean {
  return code(error) === 'ENOENT' || code(error) === 'ENODEV';
}

/** Makes the directory with its parents; `true` when it was not there before. */
export async function ensureDirectory(directory: string): Promise<boolean> {
  return (await mkdir(directory, { recursive: true, mode: 0o755 })) !== undefined;
}

export async function readControl(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Writes one value; the error names file and value, since the kernel only says EINVAL. */
export async function writeControl(file: string, value: string): Promise<void> {
  try {
    // a control file is never made: 'w' without O_CREAT is 'r+'
    await writeFile(file, value, { flag: 'r+' });
  } catch (error) {
    throw new Error(`cannot write "${value}" to ${file}: ${code(error) ?? String(error)}`, { cause: error });
  }
}

/** Writes one value where the kernel has the file; `false` when it has not. */
export async function writeControlIfPresent(file: string, value: string): Promise<boolean> {
  if ((await readControl(file).catch(() => '')) === undefined) return false;
  await writeControl(file, value);
  return true;
}

/** Hands directory and the listed files in it, those that exist, to a host id. */
export async function delegate(directory: string, files: readonly string[], owner: number): Promise<void> {
  await chown(directory, owner, owner);
  for (const name of files) {
    try {
      await chown(path.join(directory, name), owner, owner);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }
}

/** Names of the directories in a directory; none when it is not there. */
export async function subdirectories(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** Every cgroup at and below a directory, parents first, as paths relative to it ('' is itself); bounded. */
export async function walkCgroups(directory: string, limit = 10_000): Promise<string[]> {
  const found = [''];
  for (let index = 0; index < found.length; index++) {
    const relative = found[index] ?? '';
    for (const name of await subdirectories(path.join(directory, relative))) {
      if (found.length >= limit) return found;
      found.push(path.join(relative, name));
    }
  }
  return found;
}

export function parsePids(text: string | undefined): number[] {
  return (text ?? '')
    .split('\n')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid > 0);
}

/**
 * Removes a tree of empty cgroups, children first. A cgroup whose last process is just going is tried again, and a
 * tree that is larger than one walk is walked again, for as long as there is progress.
 */
export async function removeCgroups(directory: string): Promise<void> {
  let deadline = Date.now() + 2000;
  for (;;) {
    const tree = (await walkCgroups(directory)).reverse();
    let removed = 0;
    let blocked: unknown;
    for (const relative of tree) {
      try {
        await rmdir(path.join(directory, relative));
        removed += 1;
      } catch (error) {
        if (isAbsent(error)) continue;
        if (code(error) !== 'EBUSY' && code(error) !== 'ENOTEMPTY') throw error;
        blocked = error;
      }
    }
    if (blocked === undefined) return;
    if (removed > 0) deadline = Date.now() + 2000;
    else if (Date.now() > deadline)
      throw new Error(`cgroup ${directory} is still in use`, { cause: blocked });
    await sleep(5);
  }
}

/** Removes a cgroup that has neither processes nor children, and leaves any other. */
export async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!isAbsent(error) && code(error) !== 'EBUSY' && code(error) !== 'ENOTEMPTY') throw error;
  }
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Sends SIGKILL; a process that is gone already is fine. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (code(error) !== 'ESRCH') throw error;
  }
}

/** Waits until `isEmpty` answers true; throws after the timeout. */
export async function waitUntilEmpty(
  isEmpty: () => Promise<boolean>,
  what: string,
  timeout = 5000,
): Promise<void> {
  const deadline = Date.now() + timeout;
  for (let pause = 1; !(await isEmpty()); pause = Math.min(pause * 2, 50)) {
    if (Date.now() > deadline) throw new Error(`${what} still has processes after SIGKILL`);
    await sleep(pause);
  }
}

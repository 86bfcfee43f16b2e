// Records as JSON files: written whole or not at all, and checked against their schema when read.

import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { z } from 'zod';

/** A file that is written is first complete beside its final name; these endings mark leftovers of a crash. */
const PARTIAL = /\.[0-9a-f]{8}\.partial$/;

/** A record that is there but is not what it should be: damaged, or of another version of Berth. */
export class BadRecord extends Error {
  constructor(
    readonly file: string,
    cause: unknown,
  ) {
    super(`${file} is not a valid record: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
    this.name = 'BadRecord';
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/**
 * Replaces the file atomically: a reader, or a crash at any moment, sees the old content or the new. With `sync` it
 * also survives a power cut once this resolves.
 */
export async function writeFileAtomic(
  file: string,
  content: string | Uint8Array,
  options: { mode?: number; sync?: boolean } = {},
): Promise<void> {
  const partial = `${file}.${randomBytes(4).toString('hex')}.partial`;
  let handle: FileHandle | undefined;
  try {
    handle = await open(partial, 'wx', options.mode ?? 0o600);
    await handle.writeFile(content);
    if (options.sync) await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(partial, file);
  } catch (error) {
    await handle?.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw error;
  }
}

/** Writes a record; the directory is made when it is not there. */
export async function writeJsonFile(
  file: string,
  value: unknown,
  options: { mode?: number; sync?: boolean } = {},
): Promise<void> {
  await writeJsonText(file, `${JSON.stringify(value, null, 2)}\n`, options);
}

/** Writes text as it is; the directory is made when it is not there. */
export async function writeJsonText(
  file: string,
  text: string,
  options: { mode?: number; sync?: boolean } = {},
): Promise<void> {
  try {
    await writeFileAtomic(file, text, options);
  } catch (error) {
    if (!isMissing(error)) throw error;
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await writeFileAtomic(file, text, options);
  }
}

/** The record, or undefined when there is no such file; throws BadRecord. */
export async function readJsonFile<T extends z.ZodType>(
  file: string,
  schema: T,
): Promise<z.infer<T> | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new BadRecord(file, error);
  }
}

/**
 * Every `<name>.json` of a directory by name; leftovers of interrupted writes are removed on the way. A bad record is
 * passed to `onBad` (default: thrown) and left where it is.
 */
export async function readJsonDir<T extends z.ZodType>(
  directory: string,
  schema: T,
  onBad: (error: BadRecord) => void = (error) => {
    throw error;
  },
): Promise<Map<string, z.infer<T>>> {
  const records = new Map<string, z.infer<T>>();
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if (isMissing(error)) return records;
    throw error;
  }
  for (const name of names.sort()) {
    const file = path.join(directory, name);
    if (PARTIAL.test(name)) await rm(file, { force: true });
    if (!name.endsWith('.json')) continue;
    try {
      const record = await readJsonFile(file, schema);
      if (record !== undefined) records.set(name.slice(0, -'.json'.length), record);
    } catch (error) {
      if (!(error instanceof BadRecord)) throw error;
      onBad(error);
    }
  }
  return records;
}

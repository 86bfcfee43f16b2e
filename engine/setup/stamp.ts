// Stamps: small files that say from which inputs a thing was built, written only when it is complete.

import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';

/** Whether the stamp holds this value and each of the things it speaks for is there. */
export async function isStamped(file: string, value: string, ...things: readonly string[]): Promise<boolean> {
  const text = await fs.readFile(file, 'utf8').catch(() => undefined);
  if (text?.trim() !== value) return false;
  for (const thing of things) {
    const there = await fs.lstat(thing).then(
      () => true,
      () => false,
    );
    if (!there) return false;
  }
  return true;
}

/** Writes a stamp, whole or not at all. */
export async function stamp(file: string, value: string): Promise<void> {
  await fs.mkdir(path.dirname(file), { recursive: true });
  await writeWhole(file, `${value}\n`);
}

/** Writes a file beside its place and renames it there. */
export async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${file}.${randomBytes(4).toString('hex')}.tmp`;
  const handle = await fs.open(temporary, 'w');
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await fs.rename(temporary, file);
}

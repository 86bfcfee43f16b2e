// Empty ext4 images, one a size, that sandboxes' disks are copied from: a few hundred kilobytes, mostly holes.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { SystemError } from '../errors.ts';

const run = promisify(execFile);

/** Raised whenever the options below change. */
const VERSION = 2;

/**
 * A small journal, nothing reserved for root, and no inode table written out: a new disk costs the host next to nothing.
 */
const MKFS_OPTIONS = [
  '-q',
  '-F',
  // the loop device's block size, whatever mkfs thinks of a small disk
  '-b',
  '4096',
  '-i',
  '16384',
  '-m',
  '0',
  '-J',
  'size=16',
  '-O',
  '^resize_inode',
  '-E',
  'lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0',
];

/** Makes templates on demand; the same size is made once, however many ask at the same time. */
export class DiskTemplates {
  readonly #directory: string;
  readonly #making = new Map<number, Promise<string>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Path of the template for a disk of so many bytes. */
  get(bytes: number): Promise<string> {
    const made = this.#making.get(bytes) ?? this.#make(bytes);
    this.#making.set(bytes, made);
    made.catch(() => this.#making.delete(bytes));
    return made;
  }

  async #make(bytes: number): Promise<string> {
    const file = path.join(this.#directory, `ext4-${bytes}-${VERSION}.img`);
    if (await stat(file).catch(() => undefined)) return file;
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const partial = `${file}.${randomBytes(4).toString('hex')}`;
    try {
      const handle = await open(partial, 'wx', 0o600);
      await handle.truncate(bytes);
      await handle.close();
      await run('mkfs.ext4', [...MKFS_OPTIONS, partial], { timeout: 60_000 });
      await rename(partial, file);
    } catch (error) {
      await rm(partial, { force: true });
      throw new SystemError('cannot make a disk template with mkfs.ext4 (e2fsprogs)', { cause: error });
    }
    return file;
  }
}

// What a build context may be: one table, and the errors for what is beyond it.

import { InvalidParameter } from '../../errors.ts';

export const CONTEXT_LIMITS = {
  /** files, directories and links */
  entries: 250_000,
  /** bytes of all paths and link targets together */
  names: 32 * 2 ** 20,
  /** bytes of all files together; the sandbox's disk is a limit as well */
  size: 16 * 2 ** 30,
  /** bytes of one path, and of one component of it (Linux's PATH_MAX, NAME_MAX) */
  path: 4095,
  component: 255,
  /** transferred files that a sandbox keeps for the next build */
  kept: 8,
  /** their entries together */
  keptEntries: 300_000,
  /** milliseconds without a byte from a client that owes some */
  silence: 300_000,
} as const;

/** ids that a sandbox has */
export const LAST_ID = 65_535;

/** Counts what a context has; throws InvalidParameter when it is too much. */
export class ContextMeter {
  #entries = 0;
  #names = 0;
  #size = 0;

  count(path: string, target: string, size: number): void {
    this.#entries += 1;
    this.#names += path.length + target.length;
    this.#size += size;
    if (this.#entries > CONTEXT_LIMITS.entries) {
      throw new InvalidParameter(
        `the build context has more than ${CONTEXT_LIMITS.entries} files; name what is not needed in .dockerignore`,
      );
    }
    if (this.#names > CONTEXT_LIMITS.names) {
      throw new InvalidParameter('the names of the files of the build context are too long');
    }
    if (this.#size > CONTEXT_LIMITS.size) {
      throw new InvalidParameter(
        `the build context is larger than ${CONTEXT_LIMITS.size / 2 ** 30} GiB; name what is not needed in .dockerignore`,
      );
    }
  }
}

/** Throws InvalidParameter unless the path is relative, plain and short enough. */
export function checkPath(path: string): void {
  const isPlain =
    path.length > 0 &&
    !path.includes('\0') &&
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (!isPlain)
    throw new InvalidParameter(`invalid path in the build context: ${JSON.stringify(path.slice(0, 200))}`);
  const isShort =
    Buffer.byteLength(path) <= CONTEXT_LIMITS.path &&
    path.split('/').every((part) => Buffer.byteLength(part) <= CONTEXT_LIMITS.component);
  if (!isShort) throw new InvalidParameter(`a path in the build context is too long: ${path.slice(0, 200)}…`);
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

/** Order of a walk: a directory comes before what is in it, and that before the directory's next neighbor. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return (left === 0x2f ? -1 : left) - (right === 0x2f ? -1 : right);
  }
  return a.length - b.length;
}

// Mount propagation of binds: what the lab host's own mounts must be like for shared and slave, and what crun is told.

import { SystemError } from '../errors.ts';
import type { InitApi } from '../sandbox/init-types.ts';
import { readText } from './lab-files.ts';
import type { MountPoint } from './mount-point.ts';

const SHARED = ['shared', 'rshared'];
const SLAVE = ['slave', 'rslave'];

/** Throws, in Docker's words, when a source is not on a mount that is shared (or, for slave, shared or slave) itself. */
export async function checkPropagation(init: InitApi, mounts: readonly MountPoint[]): Promise<void> {
  const special = mounts.filter(({ propagation }) => [...SHARED, ...SLAVE].includes(propagation));
  if (special.length === 0) return;
  const table = await readText(init, '/proc/1/mountinfo');
  if (table === undefined) throw new SystemError('the mounts of the lab host cannot be read');
  for (const { source, propagation } of special) {
    const { path, tags } = mountOf(table, source);
    const isShared = tags.includes('shared:');
    if (SHARED.includes(propagation) && !isShared) {
      throw new SystemError(`path ${source} is mounted on ${path} but it is not a shared mount`);
    }
    if (SLAVE.includes(propagation) && !isShared && !tags.includes('master:')) {
      throw new SystemError(`path ${source} is mounted on ${path} but it is not a shared or slave mount`);
    }
  }
}

/** The mount that a path is on: the last one whose directory it is below (proc_pid_mountinfo(5)). */
function mountOf(table: string, source: string): { path: string; tags: string } {
  let found = { path: '/', tags: '' };
  for (const line of table.split('\n')) {
    const fields = line.split(' ');
    const path = unescapePath(fields[4] ?? '');
    if (path === '' || path.length < found.path.length) continue;
    if (path !== '/' && source !== path && !source.startsWith(`${path}/`)) continue;
    found = { path, tags: fields.slice(6, fields.indexOf('-', 6)).join(' ') };
  }
  return found;
}

function unescapePath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_all, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** The propagation of the container's root, which must let its binds' through. */
export function rootPropagation(mounts: readonly MountPoint[]): string {
  if (mounts.some(({ propagation }) => SHARED.includes(propagation))) return 'shared';
  return mounts.some(({ propagation }) => SLAVE.includes(propagation)) ? 'rslave' : 'private';
}

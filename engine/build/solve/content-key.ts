// What a step takes of a client's files, as a digest: names, kinds, modes, owners and contents, but no times.

import { createHash } from 'node:crypto';
import type { ContextEntry } from '../context.ts';
import type { Operation } from '../graph.ts';
import { hasWildcards, matchName, PatternList } from '../patterns.ts';

/** The digest of the files of an input that an operation reads. */
export function contentKey(operation: Operation, input: number, entries: readonly ContextEntry[]): string {
  const sum = createHash('sha256');
  for (const selection of selections(operation, input)) {
    sum.update(`\0${selection.path}\0`);
    const excluded = new PatternList(selection.excludePatterns);
    for (const entry of select(entries, selection)) {
      if (selection.excludePatterns.length > 0 && excluded.matches(entry.path)) continue;
      const { path, type, mode, uid, gid, target, digest } = entry;
      sum.update(JSON.stringify([path, type, mode, uid, gid, target, digest]));
    }
  }
  return `sha256:${sum.digest('hex')}`;
}

interface Selection {
  path: string;
  isPattern: boolean;
  excludePatterns: readonly string[];
}

function selections(operation: Operation, input: number): Selection[] {
  if (operation.kind === 'file') {
    return operation.actions.flatMap((action) =>
      action.type === 'copy' && action.from === input
        ? [
            {
              path: plain(action.source),
              isPattern: action.allowsWildcard && hasWildcards(action.source),
              excludePatterns: action.excludePatterns,
            },
          ]
        : [],
    );
  }
  if (operation.kind === 'exec') {
    return operation.mounts.flatMap((mount) =>
      (mount.type === 'bind' || mount.type === 'cache') && mount.from === input
        ? [{ path: plain(mount.source), isPattern: false, excludePatterns: [] }]
        : [],
    );
  }
  return [];
}

function plain(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

/** The entries that are named, with all below them; everything when a link is on the way, since it may lead anywhere. */
function select(entries: readonly ContextEntry[], { path, isPattern }: Selection): readonly ContextEntry[] {
  if (path === '') return entries;
  const depth = path.split('/').length;
  const isNamed = (name: string) => {
    const start = name.split('/').slice(0, depth).join('/');
    return isPattern ? matchName(path, start) : start === path;
  };
  const found = entries.filter((entry) => isNamed(entry.path));
  const isLinked = (entry: ContextEntry) =>
    entry.type === 'symlink' && (isPattern || entry.path === path || path.startsWith(`${entry.path}/`));
  return entries.some(isLinked) ? entries : found;
}

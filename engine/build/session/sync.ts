// Brings a folder of a client into the sandbox: only what is not there from the build before is asked for.

import { createHash } from 'node:crypto';
import { SystemError } from '../../errors.ts';
import type { ContextEntry } from '../context.ts';
import { archiveEnd, entryHeader, padding, removalHeader, type StoredEntry } from '../contexts/files.ts';
import { parentOf } from '../contexts/limits.ts';
import type { ContextStore, ReceivedContext } from '../contexts/store.ts';
import type { RemoteEntry, RemoteFiles } from './remote-files.ts';

/** up to here a file is read before its header is written, so that a change of its size does no harm */
const SMALL = 2 ** 20;

/** Lists, compares, fetches, unpacks. Afterwards `context.entries` is what lies in its directory. */
export async function syncFiles(
  store: ContextStore,
  context: ReceivedContext,
  files: RemoteFiles,
  signal: AbortSignal,
): Promise<void> {
  const listed = await files.list();
  const changes = compare(context.entries, listed);
  const entries = new Map<string, StoredEntry>();
  if (changes.removed.length > 0 || changes.written.size > 0) {
    context.isWhole = false;
    await store.receive(context, archive(changes, listed, context.entries, files, entries), signal);
  } else {
    for (const { path } of listed) keep(context.entries, path, entries);
  }
  await files.finish();
  context.entries = entries;
  context.isWhole = true;
}

interface Changes {
  /** the topmost of what is gone */
  removed: string[];
  /** paths whose header is sent */
  written: Set<string>;
  /** files whose content is asked for, in order */
  fetched: RemoteEntry[];
}

/** What differs from what is there. */
export function compare(before: ReadonlyMap<string, StoredEntry>, listed: readonly RemoteEntry[]): Changes {
  const written = new Set<string>();
  const fetched: RemoteEntry[] = [];
  const present = new Set<string>();
  for (const entry of listed) {
    present.add(entry.path);
    const known = before.get(entry.path);
    if (known && isSame(known, entry) && !(entry.linkOf !== '' && written.has(entry.linkOf))) continue;
    written.add(entry.path);
    if (entry.type === 'file' && entry.linkOf === '') fetched.push(entry);
  }
  const gone = [...before.keys()].filter((path) => !present.has(path));
  const removed = gone.filter((path) => {
    const parent = parentOf(path);
    return parent === '' || present.has(parent);
  });
  // making and removing files changes the times of directories
  for (const path of [...written, ...removed]) {
    for (let parent = parentOf(path); parent !== '' && !written.has(parent); parent = parentOf(parent)) {
      if (present.has(parent)) written.add(parent);
    }
  }
  return { removed, written, fetched };
}

function isSame(known: StoredEntry, entry: RemoteEntry): boolean {
  const isOther = known.linkOf !== '' || entry.linkOf !== '';
  return (
    known.type === entry.type &&
    known.mode === entry.mode &&
    known.uid === entry.uid &&
    known.gid === entry.gid &&
    known.mtime === entry.mtime &&
    known.target === entry.target &&
    known.linkOf === entry.linkOf &&
    (isOther || known.type !== 'file' || known.size === entry.size)
  );
}

function keep(
  from: ReadonlyMap<string, StoredEntry>,
  path: string,
  to: Map<string, StoredEntry>,
): StoredEntry {
  const known = from.get(path);
  if (!known) throw new SystemError(`${path} should be in the build context`);
  to.set(path, known);
  return known;
}

/** The changes as an archive; `entries` is filled on the way. */
async function* archive(
  { removed, written, fetched }: Changes,
  listed: readonly RemoteEntry[],
  before: ReadonlyMap<string, StoredEntry>,
  files: RemoteFiles,
  entries: Map<string, StoredEntry>,
): AsyncGenerator<Buffer> {
  for (const path of removed) yield removalHeader(path);
  const isFetched = new Set(fetched);
  const contents = files.contents(fetched);
  for (const entry of listed) {
    if (isFetched.has(entry)) {
      const { value } = await contents.next();
      if (!value || value.entry !== entry) throw new SystemError('files of a build context are out of order');
      yield* file(entry, value.body, entries);
      continue;
    }
    if (!written.has(entry.path)) {
      keep(before, entry.path, entries);
      continue;
    }
    const { id, ...about } = entry;
    const linked = entries.get(entry.linkOf);
    const stored = { ...about, size: linked?.size ?? 0, digest: linked?.digest ?? '' };
    entries.set(entry.path, stored);
    yield entryHeader(stored);
  }
  yield archiveEnd;
}

async function* file(
  { id, ...entry }: RemoteEntry,
  body: AsyncGenerator<Buffer>,
  entries: Map<string, StoredEntry>,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let received = 0;
  const small: Buffer[] = [];
  if (entry.size > SMALL) yield entryHeader({ ...entry, digest: '' });
  for await (const chunk of body) {
    hash.update(chunk);
    received += chunk.length;
    if (entry.size > SMALL) yield chunk;
    else small.push(chunk);
  }
  if (entry.size > SMALL && received < entry.size) {
    throw new SystemError(`${entry.path} could not be read, or changed while it was sent`);
  }
  const stored: StoredEntry = { ...entry, size: received, digest: `sha256:${hash.digest('hex')}` };
  if (entry.size <= SMALL) {
    yield entryHeader(stored);
    yield* small;
  }
  yield padding(received);
  entries.set(entry.path, stored);
}

/** A file of a listing, symbolic links followed; undefined when it is not there. */
export function findFile(listed: readonly RemoteEntry[], path: string): RemoteEntry | undefined {
  const byPath = new Map(listed.map((entry) => [entry.path, entry]));
  const found = byPath.get(resolveLinks(byPath, path) ?? '');
  return found?.type === 'file' ? found : undefined;
}

/** Follows symbolic links inside the folder, whose root nothing leaves. */
export function resolveLinks(
  entries: ReadonlyMap<string, Pick<ContextEntry, 'type' | 'target'>>,
  path: string,
): string | undefined {
  let rest = path.split('/');
  let at: string[] = [];
  for (let steps = 0; rest.length > 0; ) {
    const [part = '', ...after] = rest;
    rest = after;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      at.pop();
      continue;
    }
    const entry = entries.get([...at, part].join('/'));
    if (entry?.type !== 'symlink') {
      at.push(part);
      continue;
    }
    if (++steps > 40) return undefined;
    if (entry.target.startsWith('/')) at = [];
    rest = [...entry.target.split('/'), ...rest];
  }
  return at.join('/');
}

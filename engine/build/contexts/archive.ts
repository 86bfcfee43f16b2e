// A context that comes as one archive: read member by member, digested, and unpacked in the sandbox as root's files.

import { createHash } from 'node:crypto';
import { InvalidParameter } from '../../errors.ts';
import type { Bytes } from '../../image/bytes.ts';
import { type Member, readTar } from '../../image/tar.ts';
import { archiveEnd, entryHeader, padding, removalHeader, type StoredEntry } from './files.ts';
import { CONTEXT_LIMITS, ContextMeter, checkPath, comparePaths, parentOf } from './limits.ts';
import type { ContextStore, ReceivedContext } from './store.ts';

/** Unpacks an archive, compressed or not, into an empty context. Throws InvalidParameter for what it should not have. */
export async function receiveArchive(
  store: ContextStore,
  context: ReceivedContext,
  bytes: Bytes,
  signal: AbortSignal,
): Promise<void> {
  const files = new ArchiveFiles();
  context.isWhole = false;
  await store.receive(context, files.pass(store.decompressed(bytes, signal)), signal);
  context.entries = files.sorted();
  context.isWhole = true;
}

/** What an archive holds, learned while it passes by. */
class ArchiveFiles {
  readonly #entries = new Map<string, StoredEntry>();
  readonly #meter = new ContextMeter();

  sorted(): Map<string, StoredEntry> {
    return new Map([...this.#entries].sort(([a], [b]) => comparePaths(a, b)));
  }

  /** The same files as an archive of our own making. */
  async *pass(archive: Bytes): AsyncGenerator<Buffer> {
    for await (const member of readTar(archive, { members: CONTEXT_LIMITS.entries })) {
      if (member.name === '' || member.type === 'other') continue;
      checkPath(member.name);
      this.#meter.count(member.name, member.target, member.type === 'file' ? member.size : 0);
      yield* this.#parents(member.name);
      yield* this.#replaced(member);
      if (member.type === 'file') yield* this.#file(member);
      else yield this.#add(this.#entryOf(member));
    }
    yield archiveEnd;
  }

  *#parents(path: string): Generator<Buffer> {
    const parent = parentOf(path);
    if (parent === '') return;
    const known = this.#entries.get(parent);
    if (known?.type === 'directory') return;
    if (known) throw new InvalidParameter(`a path of the build context is not below a directory: ${path}`);
    yield* this.#parents(parent);
    this.#meter.count(parent, '', 0);
    yield this.#add({ ...plain(parent, 0o755, 0), type: 'directory' });
  }

  /** A later member takes the place of an earlier one; directories are merged. */
  *#replaced({ name, type }: Member): Generator<Buffer> {
    const known = this.#entries.get(name);
    if (!known || (known.type === 'directory' && type === 'directory')) return;
    if (known.type === 'directory') {
      for (const path of [...this.#entries.keys()])
        if (path.startsWith(`${name}/`)) this.#entries.delete(path);
    }
    this.#entries.delete(name);
    yield removalHeader(name);
  }

  #entryOf({ name, type, target, isSymlink, mode, mtime }: Member): StoredEntry {
    const entry = plain(name, mode, mtime);
    if (type === 'directory') return { ...entry, type };
    if (isSymlink) {
      if (target === '' || target.includes('\0') || target.length > CONTEXT_LIMITS.path) {
        throw new InvalidParameter(`the symbolic link ${name} is not valid`);
      }
      return { ...entry, type: 'symlink', mode: 0o777, target };
    }
    const linkOf = target
      .split('/')
      .filter((part) => part !== '' && part !== '.')
      .join('/');
    const linked = this.#entries.get(linkOf);
    if (linked?.type !== 'file')
      throw new InvalidParameter(`invalid hard link in the build context: ${name}`);
    return { ...linked, path: name, linkOf };
  }

  #add(entry: StoredEntry): Buffer {
    this.#entries.set(entry.path, entry);
    return entryHeader(entry);
  }

  async *#file({ name, mode, mtime, size, body }: Member): AsyncGenerator<Buffer> {
    const entry = { ...plain(name, mode, mtime), size };
    yield entryHeader(entry);
    const hash = createHash('sha256');
    for await (const chunk of body) {
      hash.update(chunk);
      yield chunk;
    }
    yield padding(size);
    this.#entries.set(name, { ...entry, digest: `sha256:${hash.digest('hex')}` });
  }
}

/** A file of root's, empty so far. */
function plain(path: string, mode: number, mtime: number): StoredEntry {
  return {
    path,
    type: 'file',
    mode,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: BigInt(mtime) * 1_000_000_000n,
    target: '',
    linkOf: '',
    digest: '',
  };
}

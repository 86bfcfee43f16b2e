// What files of a context an operation selects, as a digest: names, modes, owners and content, not times.

import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { ContextEntry } from '../context.ts';
import { hasWildcards, matchName, PatternList } from '../patterns.ts';

/** Links that are followed on the way to one file, as in Linux. */
const LINKS_MAX = 40;

/** What is selected: as in an action `copy` of the graph. */
export interface Selection {
  /** absolute; a pattern where `isPattern` says so */
  readonly source: string;
  readonly isPattern: boolean;
  /** `/parent/./kept`: see COPY --parents */
  readonly keepsParents: boolean;
  readonly excludePatterns: readonly string[];
}

/** Looks up entries of one context; make it once for each. */
export class ContextIndex {
  readonly #entries: readonly ContextEntry[];
  readonly #byPath: ReadonlyMap<string, ContextEntry>;
  readonly #known = new Map<string, string>();

  constructor(entries: readonly ContextEntry[]) {
    this.#entries = entries;
    this.#byPath = new Map(entries.map((entry) => [entry.path, entry]));
  }

  /** The digest of what is selected; what is not there has one as well. */
  digest(selection: Selection): string {
    const key = JSON.stringify(selection);
    let digest = this.#known.get(key);
    if (digest === undefined) {
      const hash = createHash('sha256');
      for (const line of this.#select(selection)) hash.update(line);
      digest = hash.digest('hex');
      this.#known.set(key, digest);
    }
    return digest;
  }

  *#select({ source, isPattern, keepsParents, excludePatterns }: Selection): Generator<string> {
    const excluded = excludePatterns.length === 0 ? undefined : new PatternList(excludePatterns);
    if (keepsParents) {
      const pivot = source.indexOf('/./');
      const parent = relative(pivot < 0 ? '/' : source.slice(0, pivot));
      const wanted = new PatternList([relative(pivot < 0 ? source : source.slice(pivot + 2))]);
      yield* this.#tree(parent, (path) => wanted.matches(path) && !excluded?.matches(path), true);
      return;
    }
    const path = relative(source);
    if (!isPattern || !hasWildcards(path)) {
      yield* this.#whole(path, excluded);
      return;
    }
    const depth = path.split('/').length;
    for (const entry of this.#entries) {
      if (entry.path.split('/').length !== depth || !matchName(path, entry.path)) continue;
      yield `${entry.path}\n`;
      yield* this.#whole(entry.path, excluded);
    }
  }

  /** One file or directory, through the links that lead to it. */
  *#whole(path: string, excluded: PatternList | undefined): Generator<string> {
    const real = this.#follow(path);
    const entry = this.#byPath.get(real);
    if (entry === undefined && real !== '') {
      yield `${JSON.stringify(real)} is not there\n`;
    } else if (entry === undefined || entry.type === 'directory') {
      if (entry !== undefined) yield describe(entry, '');
      yield* this.#tree(real, (below) => !excluded?.matches(below), false);
    } else if (!excluded?.matches(posix.basename(path))) {
      yield describe(entry, posix.basename(path));
    }
  }

  /** What is below a directory and wanted. Directories on the way to it count too where `withParents` says so. */
  *#tree(root: string, isWanted: (path: string) => boolean, withParents: boolean): Generator<string> {
    const prefix = root === '' ? '' : `${root}/`;
    const parents = new Set<string>();
    const lines: string[] = [];
    for (const entry of this.#entries) {
      if (!entry.path.startsWith(prefix)) continue;
      const below = entry.path.slice(prefix.length);
      if (!isWanted(below)) continue;
      lines.push(describe(entry, below));
      if (!withParents) continue;
      for (let up = posix.dirname(below); up !== '.'; up = posix.dirname(up)) parents.add(up);
    }
    for (const parent of parents) {
      const entry = this.#byPath.get(prefix + parent);
      if (entry !== undefined && !isWanted(parent)) lines.push(describe(entry, parent));
    }
    // in an order of their own: how a front lists files does not matter
    yield* lines.sort();
  }

  /** The path without symbolic links in it; links cannot lead out of the context. */
  #follow(path: string): string {
    let real = '';
    let waiting = path.split('/').filter((part) => part !== '' && part !== '.');
    for (let links = 0; waiting.length > 0; ) {
      const [part = '', ...rest] = waiting;
      const next = part === '..' ? parentOf(real) : real === '' ? part : `${real}/${part}`;
      const entry = part === '..' ? undefined : this.#byPath.get(next);
      waiting = rest;
      if (entry?.type !== 'symlink') {
        real = next;
        continue;
      }
      links += 1;
      if (links > LINKS_MAX) return next;
      if (entry.target.startsWith('/')) real = '';
      waiting = [...entry.target.split('/').filter((each) => each !== '' && each !== '.'), ...rest];
    }
    return real;
  }
}

function parentOf(path: string): string {
  const parent = posix.dirname(path);
  return parent === '.' ? '' : parent;
}

function relative(path: string): string {
  return posix.join('/', path).replace(/^\/+/, '').replace(/\/+$/, '');
}

function describe({ type, mode, uid, gid, target, digest }: ContextEntry, path: string): string {
  return `${JSON.stringify([path, type, mode, uid, gid, target, digest])}\n`;
}

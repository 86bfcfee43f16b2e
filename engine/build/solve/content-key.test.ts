import { describe, expect, it } from 'vitest';
import type { ContextEntry } from '../context.ts';
import { ContextIndex, type Selection } from './content-key.ts';

const entry = (path: string, more: Partial<ContextEntry> = {}): ContextEntry => ({
  path,
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 1,
  target: '',
  digest: 'sha256:x',
  ...more,
});
const TREE = [
  entry('a', { type: 'directory', digest: '' }),
  entry('a/x.txt'),
  entry('a/y.md'),
  entry('link', { type: 'symlink', target: '../../a', digest: '' }),
  entry('loop', { type: 'symlink', target: 'loop', digest: '' }),
  entry('z'),
];

function digest(source: string, tree: readonly ContextEntry[] = TREE, more: Partial<Selection> = {}): string {
  const selection = { source, isPattern: true, keepsParents: false, excludePatterns: [], ...more };
  return new ContextIndex(tree).digest(selection);
}
const changed = (path: string, more: Partial<ContextEntry> = { digest: 'sha256:other' }) =>
  TREE.map((each) => (each.path === path ? { ...each, ...more } : each));

describe('what a copy takes of a context', () => {
  it('changes with content, mode, owner and names of what is taken, and with nothing else', () => {
    expect(digest('/a', changed('a/x.txt'))).not.toBe(digest('/a'));
    expect(digest('/a', changed('a/x.txt', { mode: 0o755 }))).not.toBe(digest('/a'));
    expect(digest('/a', changed('a/x.txt', { uid: 7 }))).not.toBe(digest('/a'));
    expect(digest('/a', changed('a/x.txt', { path: 'a/w.txt' }))).not.toBe(digest('/a'));
    expect(digest('/a', changed('z'))).toBe(digest('/a'));
    expect(digest('/', changed('z'))).not.toBe(digest('/'));
    expect(digest('/a', [...TREE].reverse())).toBe(digest('/a'));
  });

  it('follows links within the context', () => {
    expect(digest('/link', changed('a/x.txt'))).not.toBe(digest('/link'));
    expect(digest('/link/y.md', changed('a/x.txt'))).toBe(digest('/link/y.md'));
    expect(digest('/loop')).toBe(digest('/loop'));
  });

  it('knows patterns, and what is left out', () => {
    expect(digest('/a/*.txt', changed('a/y.md'))).toBe(digest('/a/*.txt'));
    expect(digest('/a/*.txt', changed('a/x.txt'))).not.toBe(digest('/a/*.txt'));
    const excludePatterns = ['*.md'];
    expect(digest('/a', changed('a/y.md'), { excludePatterns })).toBe(
      digest('/a', TREE, { excludePatterns }),
    );
    const keepsParents = true;
    expect(digest('/./a/*.txt', changed('a', { mode: 0o700 }), { keepsParents })).not.toBe(
      digest('/./a/*.txt', TREE, { keepsParents }),
    );
  });

  it('says that something is not there', () => {
    expect(digest('/no')).not.toBe(digest('/neither'));
  });
});

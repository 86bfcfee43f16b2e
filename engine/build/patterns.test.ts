import { describe, expect, it } from 'vitest';
import { parseIgnoreFile } from './dockerfile/ignore-file.ts';
import { hasWildcards, matchName, PatternList } from './patterns.ts';

describe('matchName', () => {
  it('is filepath.Match', () => {
    const cases: readonly (readonly [pattern: string, name: string, matches: boolean])[] = [
      ['abc', 'abc', true],
      ['*', 'abc', true],
      ['*c', 'abc', true],
      ['a*', 'ab/c', false],
      ['a*/b', 'abc/b', true],
      ['a*b*c*d*e*/f', 'axbxcxdxe/f', true],
      ['a*b?c*x', 'abxbbxdbxebxczzx', true],
      ['a*b?c*x', 'abxbbxdbxebxczzy', false],
      ['ab[c]', 'abc', true],
      ['ab[b-d]', 'abc', true],
      ['ab[^b-d]', 'abc', false],
      ['ab[^e-g]', 'abc', true],
      ['a\\*b', 'a*b', true],
      ['a\\*b', 'ab', false],
      ['a?b', 'a☺b', true],
      ['a???b', 'a☺b', false],
      ['a[^a]b', 'a☺b', true],
      ['[a-ζ]*', 'α', true],
      ['a?b', 'a/b', false],
      ['[\\]a]', ']', true],
      ['[\\-x]', 'x', true],
      ['*x', 'xxx', true],
    ];
    for (const [pattern, name, matches] of cases)
      expect(matchName(pattern, name), `${pattern} ${name}`).toBe(matches);
    for (const bad of ['[', '[]a]', '[-]', '[x-]', '[a', 'a\\', '[^', '[^bc', '[a-b-c]']) {
      expect(() => matchName(bad, 'a'), bad).toThrow('syntax error in pattern');
    }
    expect(hasWildcards('a\\*b')).toBe(false);
    expect(hasWildcards('a\\*b?')).toBe(true);
  });
});

describe('PatternList', () => {
  it('selects as .dockerignore does', () => {
    const cases: readonly (readonly [pattern: string, path: string, matches: boolean])[] = [
      ['**', 'file', true],
      ['**', 'dir/file', true],
      ['**/', 'dir/file', true],
      ['**/**', 'dir/file', true],
      ['dir/**', 'dir/file', true],
      ['dir/**', 'dir/dir2/file', true],
      ['**/dir', 'dir/file', true],
      ['**/dir2/*', 'dir/dir2/file', true],
      ['**/dir2/**', 'dir/dir2/dir2/file', true],
      ['**file', 'dir/xfile', true],
      ['**/file', 'dir/xfile', false],
      ['**/*.txt', 'a/b/c.txt', true],
      ['a/**/b', 'a/b', true],
      ['a/**/b', 'a/x/y/b', true],
      ['a/**/b', 'a/xb', false],
      ['a**/b', 'ax/y/b', true],
      ['*', 'dir/file', true],
      ['*.go', 'a/b.go', false],
      ['a(b)c/def', 'a(b)c/def', true],
      ['a.|)$(}+{bc', 'a.|)$(}+{bc', true],
      [
        'dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl',
        'dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl',
        true,
      ],
      ['dir/', 'dir/a', true],
      ['abc.def', 'abcZdef', false],
    ];
    for (const [pattern, path, matches] of cases) {
      expect(new PatternList([pattern]).matches(path), `${pattern} ${path}`).toBe(matches);
    }
  });

  it('lets the last pattern that matches decide', () => {
    const list = new PatternList(['*', '!src', 'src/secret', '!src/secret/open']);
    expect(['a', 'src/x', 'src/secret/a', 'src/secret/open'].map((path) => list.matches(path))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(() => new PatternList(['!'])).toThrow('illegal exclusion pattern');
  });

  it('takes no exponential time', () => {
    const list = new PatternList(['**/a*'.repeat(100)]);
    const started = performance.now();
    list.matches('a/'.repeat(200));
    expect(performance.now() - started).toBeLessThan(3_000);
  });
});

describe('.dockerignore', () => {
  it('is read with comments, blanks, slashes and exceptions', () => {
    expect(parseIgnoreFile(Buffer.from('\ufeff# c\r\n\n /a/../b/ \n! /c\n#d\n*.o\r\n'), 'x')).toEqual([
      'b',
      '!c',
      '*.o',
    ]);
  });

  it('is bounded', () => {
    expect(() => parseIgnoreFile(Buffer.from('a\n'.repeat(5_001)), 'x')).toThrow('more than 5000 patterns');
    expect(() => parseIgnoreFile(Buffer.from('a'.repeat(5_001)), 'x')).toThrow('more than 5000 patterns');
    expect(() => parseIgnoreFile(Buffer.from('[a\n'), 'x')).toThrow('syntax error in pattern');
    expect(() => parseIgnoreFile(Buffer.from('!\n'), 'x')).toThrow('illegal exclusion pattern');
  });
});

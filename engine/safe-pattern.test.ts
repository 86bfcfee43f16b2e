import { describe, expect, it } from 'vitest';
import { safePattern } from './safe-pattern.ts';

describe('a regular expression from a user', () => {
  it.each([
    ['web', 'a-web-b', true],
    ['^/web$', '/web', true],
    ['^(web|db)$', 'db', true],
    ['^web.*[0-9]+$', 'web-42', true],
    ['we\\.b', 'web', false],
    ['x', 'x'.repeat(300), false],
  ])('%s tests %s', (pattern, text, matches) => {
    expect(safePattern(pattern)(text)).toBe(matches);
  });

  it.each(['(a+)+$', '(a|a)(a|a)', 'a?a?a?a?aaaa', '.*.*x', '(?=a)a', '(a)\\1', '(a|b)*', 'x'.repeat(300)])(
    '%s is too complex',
    (pattern) => {
      expect(() => safePattern(pattern)).toThrow('is too complex');
    },
  );

  it('is refused when it is none', () => {
    expect(() => safePattern('(')).toThrow('error parsing regexp');
  });
});

import { describe, expect, it } from 'vitest';
import { matchesPattern } from './pattern.ts';
import { excerpt } from './text-match.ts';

describe('patterns of authors', () => {
  it('match at each line', () => {
    expect(matchesPattern('^b$', 'a\nb\nc')).toBe(true);
    expect(matchesPattern('^d$', 'a\nb\nc')).toBe(false);
  });

  it('cannot stall the server', () => {
    const began = performance.now();
    expect(() => matchesPattern('(a+)+$', `${'a'.repeat(100)}!`)).toThrow('takes too long');
    expect(performance.now() - began).toBeLessThan(2000);
  });
});

describe('excerpts of what was found', () => {
  it('are short and have no control characters', () => {
    expect(excerpt('a\u001b[31mred\u0007\n\u202eb')).toBe('a [31mred b');
    expect(excerpt('x'.repeat(300))).toHaveLength(201);
  });
});

import { describe, expect, it } from 'vitest';
import { matchesGlob } from './list.ts';

describe('docker images --filter reference', () => {
  it.each([
    ['nginx:1.26', 'nginx:*', true],
    ['nginx', 'ng?nx', true],
    ['nginx', '*', true],
    ['me/nginx', '*', false],
    ['me/nginx', '*/ng*', true],
    ['nginx', 'nginx*x', false],
    ['aXbXc', 'a*X*c', true],
    ['', '', true],
  ])('%s against %s: %s', (name, pattern, matches) => expect(matchesGlob(name, pattern)).toBe(matches));

  it('takes no time for a pattern made to take long', () => {
    const start = performance.now();
    expect(matchesGlob('a'.repeat(255), `${'a*'.repeat(120)}b`)).toBe(false);
    expect(performance.now() - start).toBeLessThan(100);
  });
});

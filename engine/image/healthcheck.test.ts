import { describe, expect, it } from 'vitest';
import { healthcheck } from './healthcheck.ts';

describe('the HEALTHCHECK instruction', () => {
  it.each([
    ['--interval=5s --retries=2 CMD ["a","b"]', { Test: ['CMD', 'a', 'b'], Interval: 5e9, Retries: 2 }],
    ['CMD curl -f  "x y" || exit 1', { Test: ['CMD-SHELL', 'curl -f  "x y" || exit 1'] }],
    ['--retries=0 cmd x', { Test: ['CMD-SHELL', 'x'] }],
    [
      '--start-period=1m --start-interval=1s --timeout=3s CMD x',
      {
        Test: ['CMD-SHELL', 'x'],
        StartPeriod: 60e9,
        StartInterval: 1e9,
        Timeout: 3e9,
      },
    ],
    ['CMD [not json', { Test: ['CMD-SHELL', '[not json'] }],
    ['NONE', { Test: ['NONE'] }],
  ])('reads %s', (text, check) => {
    expect(healthcheck(text)).toEqual(check);
  });

  it.each([
    ['--interval=1us CMD x', 'Interval "interval" cannot be less than 1ms'],
    ['--interval=-5s CMD x', 'Interval "interval" cannot be less than 1ms'],
    ['--retries=-1 CMD x', '--retries cannot be negative (-1)'],
    ['--retries=x CMD x', 'strconv.ParseInt: parsing "x": invalid syntax'],
    ['--foo=1 CMD x', 'unknown flag: foo'],
    ['--interval CMD x', 'missing a value on flag: interval'],
    ['--interval=zz CMD x', 'time: invalid duration "zz"'],
    ['CMD', 'Missing command after HEALTHCHECK CMD'],
    ['FOO x', 'Unknown type "FOO" in HEALTHCHECK (try CMD)'],
    ['NONE x', 'HEALTHCHECK NONE takes no arguments'],
  ])('refuses %s', (text, message) => {
    expect(() => healthcheck(text)).toThrow(message);
  });
});

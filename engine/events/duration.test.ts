import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';

describe('durations in Go’s notation', () => {
  it.each([
    ['30s', 30e9],
    ['1m30s', 90e9],
    ['1.5h', 5400e9],
    ['200ms', 200e6],
    ['1us', 1e3],
    ['0', 0],
    ['-1s', -1e9],
    ['.5s', 0.5e9],
  ])('reads %s', (text, nanos) => {
    expect(parseDuration(text)).toBe(nanos);
  });

  it.each(['', 's', '1', '1x', '1s ', '1..5s', 'NaN', `${'9'.repeat(30)}h`, `${'1s'.repeat(60)}`])(
    'refuses %j',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  it.each([
    [0, '0s'],
    [5, '5ns'],
    [1500, '1.5µs'],
    [200e6, '200ms'],
    [1.5e9, '1.5s'],
    [60e9, '1m0s'],
    [5400e9, '1h30m0s'],
    [-30e9, '-30s'],
  ])('writes %d', (nanos, text) => {
    expect(formatDuration(nanos)).toBe(text);
  });
});

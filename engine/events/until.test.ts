import { describe, expect, it } from 'vitest';
import { nowNanos, parseRfc3339 } from './clock.ts';
import { Filters } from './filters.ts';
import { parseUntil } from './until.ts';

const until = (...values: string[]) =>
  parseUntil(Filters.parse(JSON.stringify({ until: values }), ['until']));

describe('the filter until', () => {
  it('takes how long ago', () => {
    const hour = nowNanos() - (until('1h') ?? 0n);
    expect(Number(hour) / 3600e9).toBeCloseTo(1, 2);
    expect(Number(nowNanos() - (until('1h30m') ?? 0n)) / 5400e9).toBeCloseTo(1, 2);
  });

  it.each([
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z'],
    ['2026-01-02T03:04:05', '2026-01-02T03:04:05Z'],
    ['2026-01-02T03:04', '2026-01-02T03:04:00Z'],
    ['2026-01-02', '2026-01-02T00:00:00Z'],
    ['1767323045', '2026-01-02T03:04:05Z'],
    ['1767323045.5', '2026-01-02T03:04:05.5Z'],
  ])('takes %s', (text, time) => {
    expect(until(text)).toBe(parseRfc3339(time));
  });

  it('refuses what is neither, and two', () => {
    expect(() => until('zzz')).toThrow('failed to parse value as time or duration: "zzz"');
    expect(() => until('2026-99-99')).toThrow('failed to parse value as time or duration');
    expect(() => until('1h', '2h')).toThrow('more than one until filter specified');
    expect(until()).toBeUndefined();
  });
});

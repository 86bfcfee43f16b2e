import { describe, expect, it } from 'vitest';
import { formatNanos, nowNanos, parseRfc3339, parseTimestamp, ZERO_TIME } from './clock.ts';

describe('times as Docker writes them', () => {
  it('drops trailing zeros of the fraction, and a fraction of zero', () => {
    expect(formatNanos(1_500_000_000n)).toBe('1970-01-01T00:00:01.5Z');
    expect(formatNanos(1_000_000_000n)).toBe('1970-01-01T00:00:01Z');
    expect(formatNanos(1_795_233_878_352_054_342n)).toBe('2026-11-21T04:04:38.352054342Z');
  });

  it('reads back what it writes, and other zones', () => {
    const now = nowNanos();
    expect(parseRfc3339(formatNanos(now))).toBe(now);
    expect(parseRfc3339('1970-01-01T01:00:00.25+01:00')).toBe(250_000_000n);
    expect(parseRfc3339(ZERO_TIME)).toBe(0n);
    expect(() => parseRfc3339('yesterday')).toThrow('invalid time');
  });

  it('reads since and until in seconds with a fraction', () => {
    expect(parseTimestamp('1700000000.000000001')).toBe(1_700_000_000_000_000_001n);
    expect(parseTimestamp('12')).toBe(12_000_000_000n);
    expect(parseTimestamp('0')).toBeUndefined();
    expect(parseTimestamp(null)).toBeUndefined();
    expect(() => parseTimestamp('soon')).toThrow('invalid time');
  });

  it('never gives the same time twice', () => {
    const times = Array.from({ length: 1000 }, nowNanos);
    expect(new Set(times).size).toBe(1000);
  });
});

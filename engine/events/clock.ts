// Time as Docker writes it: nanoseconds since the epoch, RFC 3339 with nine digits, and the forms that clients send.

import { InvalidParameter } from '../errors.ts';

/** What Docker writes for a time that has not come. */
export const ZERO_TIME = '0001-01-01T00:00:00Z';

let last = 0n;

/** The time now in nanoseconds; no two calls give the same, so that it orders what happens. */
export function nowNanos(): bigint {
  const now = BigInt(Date.now()) * 1_000_000n;
  last = now > last ? now : last + 1n;
  return last;
}

/**
 * Go's time.RFC3339Nano in UTC: trailing zeros of the fraction are dropped.
 *
 * @example formatNanos(1_500_000_000n) // '1970-01-01T00:00:01.5Z'
 */
export function formatNanos(nanos: bigint): string {
  const seconds = new Date(Number(nanos / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  const fraction = (nanos % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return fraction ? `${seconds}.${fraction}Z` : `${seconds}Z`;
}

/** Nanoseconds of an RFC 3339 time; the zero time gives 0. Throws InvalidParameter. */
export function parseRfc3339(text: string): bigint {
  if (text === ZERO_TIME) return 0n;
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const milliseconds = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN;
  if (!match || Number.isNaN(milliseconds)) throw new InvalidParameter(`invalid time: ${text}`);
  return BigInt(milliseconds) * 1_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}

/**
 * A `since` or `until` parameter: `1700000000.123456789`, `1700000000`, or RFC 3339. Undefined when absent, empty or 0.
 * Throws InvalidParameter.
 */
export function parseTimestamp(text: string | null | undefined): bigint | undefined {
  if (!text || text === '0') return undefined;
  const match = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) return parseRfc3339(text);
  return BigInt(match[1] ?? '0') * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}

/** Orders two RFC 3339 times in UTC, which have fractions of any length: below 0 when the first is earlier. */
export function compareTimes(a: string, b: string): number {
  const [x, y] = [a, b].map((time) => time.replace(/Z$/, ''));
  return x === y ? 0 : (x ?? '') < (y ?? '') ? -1 : 1;
}

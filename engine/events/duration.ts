// Durations as Go writes and reads them (time.Duration): nanoseconds, `1m30s`, `200ms`.

const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const LONGEST = 2 ** 63;

/**
 * Nanoseconds of a duration in Go's notation (time.ParseDuration); undefined when it is not one.
 *
 * @example parseDuration('1m30s') // 90_000_000_000
 */
export function parseDuration(text: string): number | undefined {
  const [, sign = '', rest = ''] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === '0') return 0;
  if (rest.length > 100 || !/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(rest)) return undefined;
  let nanos = 0;
  for (const [, count, unit] of rest.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    nanos += Number(count) * (UNITS[unit ?? ''] ?? Number.NaN);
  }
  if (nanos >= LONGEST) return undefined;
  return (sign === '-' ? -1 : 1) * Math.trunc(nanos);
}

/**
 * As Go prints it (Duration.String).
 *
 * @example formatDuration(90_000_000_000) // '1m30s'
 */
export function formatDuration(nanos: number): string {
  if (nanos === 0) return '0s';
  const sign = nanos < 0 ? '-' : '';
  const size = Math.abs(nanos);
  if (size < 1e3) return `${sign}${size}ns`;
  if (size < 1e6) return `${sign}${trim(size, 1e3, 3)}µs`;
  if (size < 1e9) return `${sign}${trim(size, 1e6, 6)}ms`;
  const hours = Math.floor(size / 3600e9);
  const minutes = Math.floor((size % 3600e9) / 60e9);
  const seconds = `${trim(size % 60e9, 1e9, 9)}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}

/** The quotient with up to `digits` digits after the point, without zeros at their end. */
function trim(nanos: number, unit: number, digits: number): string {
  const fraction = String(nanos % unit)
    .padStart(digits, '0')
    .replace(/0+$/, '');
  return `${Math.floor(nanos / unit)}${fraction === '' ? '' : `.${fraction}`}`;
}

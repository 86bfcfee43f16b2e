// The filter `until` of prune operations: a time, or how long ago.

import { InvalidParameter } from '../errors.ts';
import { nowNanos, parseTimestamp } from './clock.ts';
import { parseDuration } from './duration.ts';
import type { Filters } from './filters.ts';

/** Go's forms of a time without a zone, which Docker takes as the daemon's; a lab host's is UTC. */
const LOCAL_TIME = /^\d{4}-\d\d-\d\d(?:T\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?)?$/;

/**
 * Nanoseconds since the epoch; undefined when there is no such filter. Throws InvalidParameter.
 *
 * @example parseUntil(Filters.parse('{"until":["24h"]}', ['until'])) // a day ago
 */
export function parseUntil(filters: Filters): bigint | undefined {
  const [value, ...more] = filters.get('until');
  if (value === undefined) return undefined;
  if (more.length > 0) throw new InvalidParameter('more than one until filter specified');
  const duration = parseDuration(value);
  if (duration !== undefined && /[a-zµμ]$/.test(value)) return nowNanos() - BigInt(duration);
  try {
    return parseTimestamp(LOCAL_TIME.test(value) ? withZone(value) : value);
  } catch (error) {
    throw new InvalidParameter(`failed to parse value as time or duration: ${JSON.stringify(value)}`, {
      cause: error,
    });
  }
}

function withZone(value: string): string {
  const [date, time = '00:00:00'] = value.split('T');
  const parts = time.split(':');
  return `${date}T${[...parts, '00', '00'].slice(0, 3).join(':')}Z`;
}

// The server's log: one JSON line an event on standard output, without headers, bodies or what is typed.

import { type Logger, pino } from 'pino';

export type { Logger };

/** The server's logger. */
export function createLogger(level: string): Logger {
  return pino({ level, base: { part: 'server' }, timestamp: pino.stdTimeFunctions.isoTime });
}

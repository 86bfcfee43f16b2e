// The engine's log: JSON lines on standard error, levels by setting; never the content of terminals, files or requests.

import pino, { type Logger } from 'pino';

export type { Logger };

/** @param level a pino level; `silent` for tests */
export function createLogger(level: string): Logger {
  return pino(
    { level, base: { part: 'engine' }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  );
}

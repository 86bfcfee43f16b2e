// docker wait: the exit code, when the condition is met.

import { InvalidParameter } from '../errors.ts';
import type { Container, Ending, Moment } from './container.ts';
import { isRunning } from './record.ts';

const MOMENTS: Readonly<Record<string, Moment>> = {
  '': 'stopped',
  'not-running': 'stopped',
  'next-exit': 'exited',
  removed: 'removed',
};

/** Begins to wait at once; the promise is for later, so that `docker run` misses nothing between wait and start. */
export function waitContainer(
  container: Container,
  condition: string,
  signal: AbortSignal,
): { ending: Promise<Ending> } {
  const moment = MOMENTS[condition];
  if (moment === undefined) throw new InvalidParameter(`invalid condition: "${condition}"`);
  const { record } = container;
  const hasEnded = !isRunning(record) && record.state.status !== 'restarting';
  if (moment === 'stopped' && hasEnded) {
    return { ending: Promise.resolve({ exitCode: record.state.exitCode }) };
  }
  return { ending: container.next(moment, signal) };
}

// Signals by name and number, as users give them to kill and stop.

import os from 'node:os';
import { InvalidParameter } from '../errors.ts';

const NAMES: ReadonlyMap<string, number> = new Map(Object.entries(os.constants.signals));
/** glibc's SIGRTMIN and SIGRTMAX */
const REALTIME = { min: 34, max: 64 };

/**
 * The number of a signal: `9`, `KILL`, `SIGKILL`, `SIGRTMIN+3`. Throws InvalidParameter.
 *
 * @example parseSignal('quit') // 3
 */
export function parseSignal(text: string): number {
  const invalid = new InvalidParameter(`invalid signal: ${text}`);
  if (/^-?\d+$/.test(text)) {
    const number = Number(text);
    if (number < 1 || number > REALTIME.max) throw invalid;
    return number;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const known = NAMES.get(`SIG${name}`);
  if (known !== undefined) return known;
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (!realtime) throw invalid;
  const base = realtime[1] === 'MIN' ? REALTIME.min : REALTIME.max;
  const number = base + Number(`${realtime[2] ?? '+'}${realtime[3] ?? '0'}`);
  if (number < REALTIME.min || number > REALTIME.max) throw invalid;
  return number;
}

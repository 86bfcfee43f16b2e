// The values of log options as Go reads them: sizes, counts, flags; and the options that every driver has.

import { InvalidParameter } from '../errors.ts';
import type { LogOptions } from './driver.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12, p: 1e15 };
const TRUE = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const FALSE = ['0', 'f', 'F', 'false', 'FALSE', 'False'];
/** berth-init's (log-file.h), since each rotation renames them all */
const MAX_FILES = 1000;
const GENERAL = ['mode', 'max-buffer-size'];

/** Bytes of a size like `10m`, in decimal units (go-units FromHumanSize). */
export function parseSize(text: string): number {
  const match = /^(\d{1,15}(?:\.\d{1,9})?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  if (!match) throw new InvalidParameter(`invalid size: '${text}'`);
  return Math.trunc(Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? 1));
}

/** strconv.Atoi */
export function parseCount(text: string): number {
  if (!/^[+-]?\d{1,15}$/.test(text)) {
    throw new InvalidParameter(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const count = Number(text);
  if (count > MAX_FILES) throw new InvalidParameter(`max-file can be ${MAX_FILES} at most in Berth`);
  return count;
}

/** strconv.ParseBool */
export function parseFlag(text: string): boolean {
  if (TRUE.includes(text)) return true;
  if (FALSE.includes(text)) return false;
  throw new InvalidParameter(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** Checks the options of every driver, and that the driver knows the others. `unknown` says that it does not. */
export function checkOptions(
  options: LogOptions,
  known: readonly string[],
  unknown: (name: string) => string,
): void {
  const mode = options.mode ?? '';
  if (!['', 'blocking', 'non-blocking'].includes(mode)) {
    throw new InvalidParameter(`logger: logging mode not supported: ${mode}`);
  }
  const buffer = options['max-buffer-size'];
  if (buffer !== undefined) {
    if (mode !== 'non-blocking') {
      throw new InvalidParameter("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
    }
    try {
      parseSize(buffer);
    } catch (error) {
      throw new InvalidParameter(`error parsing option max-buffer-size: invalid size: '${buffer}'`, {
        cause: error,
      });
    }
  }
  const stranger = Object.keys(options)
    .sort()
    .find((name) => !known.includes(name) && !GENERAL.includes(name));
  if (stranger !== undefined) throw new InvalidParameter(unknown(stranger));
}

// The HEALTHCHECK instruction: its options and its command, as an image's configuration holds them.

import { z } from 'zod';
import { InvalidParameter } from '../errors.ts';
import { parseDuration } from '../events/duration.ts';
import type { OciContainerConfig } from './oci-image.ts';

type Healthcheck = NonNullable<OciContainerConfig['Healthcheck']>;

const DURATIONS = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
} as const;

/**
 * Reads what follows the word HEALTHCHECK. Throws InvalidParameter in Docker's words.
 *
 * @example healthcheck('--interval=5s CMD curl -f http://localhost/')
 */
export function healthcheck(text: string): Healthcheck {
  const check: Healthcheck = {};
  let rest = text.trim();
  for (;;) {
    const [option, name = '', value] = /^--([\w-]+)(?:=(\S*))?\s*/.exec(rest) ?? [];
    if (option === undefined) break;
    setOption(check, name, value);
    rest = rest.slice(option.length);
  }
  const [, word = '', command = ''] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
  switch (word.toUpperCase()) {
    case 'NONE':
      if (command !== '') throw new InvalidParameter('HEALTHCHECK NONE takes no arguments');
      return { Test: ['NONE'] };
    case 'CMD':
      if (command === '') throw new InvalidParameter('Missing command after HEALTHCHECK CMD');
      return { Test: test(command), ...check };
    default:
      throw new InvalidParameter(`Unknown type ${JSON.stringify(word)} in HEALTHCHECK (try CMD)`);
  }
}

/** The JSON form is run as it is; any other text goes to the shell. */
function test(command: string): string[] {
  if (command.startsWith('[')) {
    try {
      return ['CMD', ...z.array(z.string()).parse(JSON.parse(command))];
    } catch {
      // not JSON after all
    }
  }
  return ['CMD-SHELL', command];
}

function setOption(check: Healthcheck, name: string, value: string | undefined): void {
  if (value === undefined) throw new InvalidParameter(`missing a value on flag: ${name}`);
  if (name === 'retries') {
    if (!/^-?\d{1,9}$/.test(value)) {
      throw new InvalidParameter(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
    }
    if (Number(value) < 0) {
      throw new InvalidParameter(`--retries cannot be negative (${value})`);
    }
    if (Number(value) > 0) check.Retries = Number(value);
    return;
  }
  const field = Object.entries(DURATIONS).find(([option]) => option === name)?.[1];
  if (field === undefined) throw new InvalidParameter(`unknown flag: ${name}`);
  const nanos = parseDuration(value);
  if (nanos === undefined) throw new InvalidParameter(`time: invalid duration ${JSON.stringify(value)}`);
  if (nanos < 0 || (nanos > 0 && nanos < 1e6)) {
    throw new InvalidParameter(`Interval ${JSON.stringify(name)} cannot be less than 1ms`);
  }
  if (nanos > 0) check[field] = nanos;
}

// --cpuset-cpus and --cpuset-mems: lists of processors and memory nodes as the kernel writes them (cpuset(7)).

import { InvalidParameter } from '../errors.ts';
import type { HostConfig } from './config.ts';

/** Linux has at most 8,192 processors (CONFIG_NR_CPUS). */
const HIGHEST = 8191;

/** Throws InvalidParameter in Docker's words for what is no list, or names what is not there. */
export function checkCpusets({ CpusetCpus, CpusetMems }: HostConfig, cpuCount: number): void {
  check(CpusetCpus, cpuCount, 'cpus', 'CPUs');
  check(CpusetMems, 1, 'mems', 'memory nodes');
}

function check(list: string, count: number, field: string, what: string): void {
  if (list === '') return;
  const numbers = parseCpuset(list);
  if (!numbers)
    throw new InvalidParameter(`Invalid value ${list} for cpuset ${field}: invalid format: ${list}`);
  if (numbers.some((number) => number >= count)) {
    const available = count === 1 ? '0' : `0-${count - 1}`;
    throw new InvalidParameter(
      `Requested ${what} are not available - requested ${list}, available: ${available}`,
    );
  }
}

/**
 * The ends of a list's ranges; undefined when it is none.
 *
 * @example parseCpuset('0-2,5') // [0, 2, 5, 5]
 */
export function parseCpuset(list: string): number[] | undefined {
  const ends: number[] = [];
  for (const range of list.split(',')) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (!match || last < first || last > HIGHEST) return undefined;
    ends.push(first, last);
  }
  return ends;
}

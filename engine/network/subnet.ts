// IPv4 subnets: reading and writing them, what overlaps, and which Docker hands out by itself.

import { Forbidden } from '../errors.ts';

/** A subnet: its first address as a number, and how many bits of it count. */
export interface Subnet {
  base: number;
  prefix: number;
}

const ADDRESS = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?=.)|$)){4}$/;

export function isAddress(text: string): boolean {
  return ADDRESS.test(text);
}

/** An address as a number; undefined when it is none. */
export function parseAddress(text: string): number | undefined {
  return isAddress(text) ? text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0) : undefined;
}

export function formatAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}

/** `10.1.0.0/16`, also with an address in the middle of it; undefined when it is none. */
export function parseSubnet(text: string): Subnet | undefined {
  const [, address = '', bits = ''] = /^([\d.]+)\/(\d{1,2})$/.exec(text) ?? [];
  const number = parseAddress(address);
  const prefix = Number(bits);
  if (number === undefined || prefix > 32) return undefined;
  return { base: number - (number % 2 ** (32 - prefix)), prefix };
}

export function formatSubnet({ base, prefix }: Subnet): string {
  return `${formatAddress(base)}/${prefix}`;
}

export function lastOf({ base, prefix }: Subnet): number {
  return base + 2 ** (32 - prefix) - 1;
}

export function containsAddress(subnet: Subnet, address: number): boolean {
  return address >= subnet.base && address <= lastOf(subnet);
}

export function overlaps(one: Subnet, other: Subnet): boolean {
  return one.base <= lastOf(other) && other.base <= lastOf(one);
}

/** Docker's default-address-pools: each with the size of the subnets that are cut from it. */
const POOLS: readonly [pool: string, prefix: number][] = [
  ['172.17.0.0/16', 16],
  ['172.18.0.0/16', 16],
  ['172.19.0.0/16', 16],
  ['172.20.0.0/14', 16],
  ['172.24.0.0/14', 16],
  ['172.28.0.0/14', 16],
  ['192.168.0.0/16', 20],
];

/** The next subnet of the default pools that overlaps with none that is in use. Throws Forbidden in Docker's words. */
export function freeSubnet(inUse: readonly Subnet[]): Subnet {
  for (const [text, prefix] of POOLS) {
    const pool = parseSubnet(text);
    if (!pool) continue;
    for (let base = pool.base; base <= lastOf(pool); base += 2 ** (32 - prefix)) {
      const candidate = { base, prefix };
      if (!inUse.some((each) => overlaps(each, candidate))) return candidate;
    }
  }
  throw new Forbidden('all predefined address pools have been fully subnetted');
}

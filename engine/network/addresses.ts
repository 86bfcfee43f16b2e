// IPv4 addresses of the bridge: who has which, the lowest free one is next.

import { SystemError } from '../errors.ts';

/** A subnet in which the network's own address is the gateway. */
export interface Subnet {
  /** 172.17.0.0 */
  base: string;
  prefix: number;
  gateway: string;
}

/** Docker's default bridge. */
export const DEFAULT_SUBNET: Subnet = { base: '172.17.0.0', prefix: 16, gateway: '172.17.0.1' };

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}

/** Hands out the addresses of one subnet. */
export class AddressPool {
  private readonly taken = new Set<number>();

  constructor(readonly subnet: Subnet) {
    this.taken.add(toNumber(subnet.gateway));
  }

  /** The lowest free address; never the subnet's own or its broadcast. */
  allocate(): string {
    const base = toNumber(this.subnet.base);
    const last = base + 2 ** (32 - this.subnet.prefix) - 2;
    for (let number = base + 1; number <= last; number++) {
      if (this.taken.has(number)) continue;
      this.taken.add(number);
      return toAddress(number);
    }
    throw new SystemError("no available IPv4 addresses on this network's address pools: bridge");
  }

  /** Notes an address as taken that a running container has already. */
  claim(address: string): void {
    this.taken.add(toNumber(address));
  }

  release(address: string): void {
    this.taken.delete(toNumber(address));
  }
}

/**
 * The MAC address that Docker derives from an IPv4 address.
 *
 * @example macOf('172.17.0.2') // '02:42:ac:11:00:02'
 */
export function macOf(address: string): string {
  return ['02', '42', ...address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(
    ':',
  );
}

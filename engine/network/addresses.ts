// Addresses of one network: who has which, the lowest free one is next.

import { SystemError } from '../errors.ts';
import { containsAddress, formatAddress, lastOf, parseAddress, type Subnet } from './subnet.ts';

/** Hands out the addresses of one subnet. */
export class AddressPool {
  readonly #taken = new Set<number>();
  readonly #subnet: Subnet;
  readonly #range: Subnet;

  /** `range`: the part of the subnet to hand out from; `reserved`: what is not to be handed out, the gateway first of all */
  constructor(subnet: Subnet, reserved: readonly string[], range: Subnet = subnet) {
    this.#subnet = subnet;
    this.#range = range;
    for (const address of reserved) this.claim(address);
  }

  /** The lowest free address, or the one that is wanted; never the subnet's own or its broadcast. Throws in Docker's words. */
  allocate(wanted?: string): string {
    if (wanted !== undefined) return this.#take(wanted);
    const first = Math.max(this.#range.base, this.#subnet.base + 1);
    const last = Math.min(lastOf(this.#range), lastOf(this.#subnet) - 1);
    for (let number = first; number <= last; number++) {
      if (this.#taken.has(number)) continue;
      this.#taken.add(number);
      return formatAddress(number);
    }
    throw new SystemError("no available IPv4 addresses on this network's address pools");
  }

  #take(wanted: string): string {
    const number = parseAddress(wanted);
    if (number === undefined || !containsAddress(this.#subnet, number)) {
      throw new SystemError(`Requested address is out of range: ${wanted}`);
    }
    if (this.#taken.has(number)) throw new SystemError('Address already in use');
    this.#taken.add(number);
    return wanted;
  }

  /** Notes an address as taken that a running container has already. */
  claim(address: string): void {
    const number = parseAddress(address);
    if (number !== undefined) this.#taken.add(number);
  }

  release(address: string): void {
    const number = parseAddress(address);
    if (number !== undefined) this.#taken.delete(number);
  }
}

/**
 * The MAC address that Docker derives from an IPv4 address.
 *
 * @example macOf('172.17.0.2') // '02:42:ac:11:00:02'
 */
export function macOf(address: string): string {
  const parts = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return ['02', '42', ...parts].join(':');
}

// Internet access of lab hosts: each has a cable of its own to a router in a network namespace, which lets it out, and only out.

import { createHash } from 'node:crypto';
import path from 'node:path';
import { Unavailable } from '../errors.ts';
import type { Step } from '../sandbox/init-types.ts';
import { Mutex } from '../sandbox/mutex.ts';
import { runHostProgram } from './host-program.ts';
import { LinkNamespace } from './namespace.ts';
import { hostRules, routerRules, type UplinkLimits, WORLD } from './uplink-rules.ts';

/** Who has internet access: nobody, lab hosts that ask for it, everyone. */
export type InternetPolicy = 'never' | 'labs' | 'always';

export interface UplinkSettings extends UplinkLimits {
  policy: InternetPolicy;
  /** public name servers for lab hosts; private ones cannot be reached */
  nameservers: readonly string[];
  /** more networks that no lab host may reach, as address/prefix */
  denied: readonly string[];
}

/** The interface in the lab host. */
export const UPLINK_INTERFACE = 'eth0';
/** 10.78.0.0/16: .0.1 is the router for everyone, the others follow the lab hosts' ids. */
const ROUTER = '10.78.0.1';
const FIRST = 2;

/** The addresses between router and host; both ends are Berth's. */
const HOST_SIDE = '10.79.255.1';
const ROUTER_SIDE = '10.79.255.2';

/** The address of the lab host that has range number `index` of the user ids. */
function uplinkAddress(index: number): string {
  const number = index + FIRST;
  return `10.78.${number >> 8}.${number & 255}`;
}

/** What is done inside the lab host once its cable is there. */
export function uplinkSteps(index: number, nameservers: readonly string[]): Step[] {
  const lines = [
    `address add ${uplinkAddress(index)} peer ${ROUTER} dev ${UPLINK_INTERFACE}`,
    `link set ${UPLINK_INTERFACE} up`,
    `route add default via ${ROUTER}`,
  ];
  return [
    { kind: 'exec', argv: ['ip', '-batch', '-'], stdin: `${lines.join('\n')}\n` },
    {
      kind: 'write',
      path: '/etc/resolv.conf',
      data: nameservers.map((address) => `nameserver ${address}\n`).join(''),
    },
  ];
}

/** Owns the router, its way out, and the rules on both. */
export class Uplink {
  readonly #namespace: LinkNamespace;
  /** of this engine only: several may share a host */
  readonly #name: string;
  readonly #lock = new Mutex();
  #isReady = false;

  /** `folder`: on a file system that a reboot empties */
  constructor(
    folder: string,
    readonly settings: UplinkSettings,
  ) {
    this.#namespace = new LinkNamespace(path.join(folder, 'router.netns'));
    this.#name = `berth${createHash('sha256').update(folder).digest('hex').slice(0, 6)}`;
  }

  /** Whether a lab host that asks (or does not) gets access. */
  grants(isAsked: boolean | undefined): boolean {
    return this.settings.policy === 'always' || (this.settings.policy === 'labs' && isAsked === true);
  }

  /** Throws Unavailable for a new lab host that asks in vain. */
  check(isAsked: boolean | undefined): void {
    if (!isAsked || this.grants(isAsked)) return;
    throw new Unavailable('internet access for lab hosts is turned off on this host (BERTH_INTERNET=never)');
  }

  /** Lays a cable from the router into the network namespace of a process, as its UPLINK_INTERFACE. */
  connect(index: number, pid: number): Promise<void> {
    return this.#lock.run(async () => {
      if (!this.#isReady) await this.#setUp();
      const device = `u${index}`;
      // One that a killed lab host left goes by itself, but later.
      await this.#namespace.ip(`link delete ${device}`).catch(() => undefined);
      await this.#namespace.ip(
        `link add ${device} type veth peer name ${UPLINK_INTERFACE} netns ${pid}`,
        `address add ${ROUTER} peer ${uplinkAddress(index)} dev ${device}`,
        `link set ${device} up`,
      );
    });
  }

  /** Takes the router and every rule away; lab hosts that are connected lose the internet. */
  async remove(): Promise<void> {
    await this.#lock.run(async () => {
      if (!this.#isReady && !(await this.#namespace.exists())) return;
      await this.#namespace.remove();
      await runHostProgram(['nft', 'delete', 'table', 'inet', this.#name]).catch(() => undefined);
      this.#isReady = false;
    });
  }

  /** Makes the router, or brings the rules of the one that is there up to date. */
  async #setUp(): Promise<void> {
    // The rules come before the links, so that there is no moment without them.
    await runHostProgram(['nft', '-f', '-'], hostRules(this.#name, this.#name, ROUTER_SIDE));
    const isNew = await this.#namespace.make();
    await this.#namespace.run(
      ['nft', '-f', '-'],
      `table inet berth\ndelete table inet berth\n${routerRules(this.settings, this.settings.denied)}`,
    );
    if (isNew || !(await this.#hasWorld())) await this.#connectWorld();
    this.#isReady = true;
  }

  async #hasWorld(): Promise<boolean> {
    return await this.#namespace.run(['ip', 'link', 'show', 'dev', WORLD]).then(
      () => true,
      () => false,
    );
  }

  async #connectWorld(): Promise<void> {
    await this.#namespace.setSysctls({
      'net/ipv4/ip_forward': '1',
      // what comes from a lab host has its address
      'net/ipv4/conf/all/rp_filter': '1',
      'net/ipv4/conf/default/rp_filter': '1',
    });
    await runHostProgram(['ip', 'link', 'delete', this.#name]).catch(() => undefined);
    await this.#namespace.ip(`link add ${WORLD} type veth peer name ${this.#name} netns ${process.pid}`);
    await runHostProgram(
      ['ip', '-batch', '-'],
      `address replace ${HOST_SIDE} peer ${ROUTER_SIDE} dev ${this.#name}\nlink set ${this.#name} up\n`,
    );
    await this.#namespace.ip(
      `address replace ${ROUTER_SIDE} peer ${HOST_SIDE} dev ${WORLD}`,
      `link set ${WORLD} up`,
      `route replace default via ${HOST_SIDE}`,
    );
    await runHostProgram(['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
  }
}

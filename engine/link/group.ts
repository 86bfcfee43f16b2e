// The private link of lab hosts that belong together: a bridge in a network namespace that holds nothing else.

import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Step } from '../sandbox/init-types.ts';
import { Mutex } from '../sandbox/mutex.ts';
import { LinkNamespace } from './namespace.ts';

/** A lab host's place on a private link. */
export interface GroupPlace {
  /** lab hosts with the same group share a link */
  group: string;
  /** the hostnames on it, in the order of their addresses; its own is among them */
  hosts: readonly string[];
}

/** The interface in the lab host. */
export const GROUP_INTERFACE = 'eth1';
const BRIDGE = 'link0';
/** Neither Docker's pools (172.17.0.0/12 and 192.168.0.0/16 upwards) nor what Swarm takes (10.0.0.0/8 from its beginning). */
const NETWORK = '10.77.0';
const PREFIX = 24;
const SUFFIX = '.netns';

/** The address of a hostname on the link. */
export function groupAddress({ hosts }: GroupPlace, hostname: string): string {
  return `${NETWORK}.${hosts.indexOf(hostname) + 1}`;
}

/** Lines of /etc/hosts for everyone on the link. */
export function groupHosts(place: GroupPlace): string {
  return place.hosts.map((host) => `${groupAddress(place, host)}\t${host}\n`).join('');
}

/** What is done inside the lab host once its cable is there. */
export function groupSteps(place: GroupPlace, hostname: string): Step[] {
  const lines = [
    `address add ${groupAddress(place, hostname)}/${PREFIX} brd + dev ${GROUP_INTERFACE}`,
    `link set ${GROUP_INTERFACE} up`,
  ];
  return [{ kind: 'exec', argv: ['ip', '-batch', '-'], stdin: `${lines.join('\n')}\n` }];
}

/** Owns the namespaces of all private links. */
export class GroupLinks {
  readonly #folder: string;
  readonly #lock = new Mutex();

  /** `folder`: on a file system that a reboot empties */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Lays a cable from the bridge into the network namespace of a process, as its GROUP_INTERFACE. */
  connect(place: GroupPlace, hostname: string, pid: number): Promise<void> {
    return this.#lock.run(async () => {
      const namespace = this.#namespace(place.group);
      if (await namespace.make()) {
        await namespace.ip(`link add ${BRIDGE} type bridge`, `link set ${BRIDGE} up`);
      }
      const port = `port${randomBytes(4).toString('hex')}`;
      // Always the same, so that the others' neighbor tables stay right when it is reset.
      const mac = `02:4d:00:00:00:${(place.hosts.indexOf(hostname) + 1).toString(16).padStart(2, '0')}`;
      await namespace.ip(
        `link add ${port} master ${BRIDGE} up type veth peer name ${GROUP_INTERFACE} address ${mac} netns ${pid}`,
      );
    });
  }

  /** Removes the links of groups that nobody is in any more. */
  keepOnly(groups: ReadonlySet<string>): Promise<void> {
    return this.#lock.run(async () => {
      const files = await readdir(this.#folder).catch(() => []);
      for (const file of files.filter((name) => name.endsWith(SUFFIX))) {
        if (!groups.has(path.basename(file, SUFFIX))) {
          await new LinkNamespace(path.join(this.#folder, file)).remove();
        }
      }
    });
  }

  #namespace(group: string): LinkNamespace {
    return new LinkNamespace(path.join(this.#folder, `${group}${SUFFIX}`));
  }
}

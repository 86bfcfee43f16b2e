// The cables of a lab host: to those it belongs together with, and to the internet. Most have neither.

import path from 'node:path';
import { UID_RANGE } from '../runtime/sandbox-spec.ts';
import type { Step } from '../sandbox/init-types.ts';
import { GroupLinks, type GroupPlace, groupSteps } from './group.ts';
import { Uplink, type UplinkSettings, uplinkSteps } from './uplink.ts';

/** What of a lab host decides on its cables. */
export interface LinkedHost {
  hostname: string;
  uidBase: number;
  link?: GroupPlace | undefined;
  internet?: boolean | undefined;
}

export class Links {
  readonly #groups: GroupLinks;
  readonly #firstUid: number;
  readonly uplink: Uplink;

  /** `firstUid`: host id of the first lab host's root, from which they are numbered */
  constructor(runDir: string, firstUid: number, settings: UplinkSettings) {
    const folder = path.join(runDir, 'links');
    this.#groups = new GroupLinks(path.join(folder, 'groups'));
    this.uplink = new Uplink(folder, settings);
    this.#firstUid = firstUid;
  }

  /** Lays the cables of a lab host whose PID 1 (host pid) has just begun; gives what is to be done inside. */
  async connect(host: LinkedHost, pid: number): Promise<Step[]> {
    const steps: Step[] = [];
    if (host.link) {
      await this.#groups.connect(host.link, host.hostname, pid);
      steps.push(...groupSteps(host.link, host.hostname));
    }
    if (this.uplink.grants(host.internet)) {
      const index = Math.round((host.uidBase - this.#firstUid) / UID_RANGE);
      await this.uplink.connect(index, pid);
      steps.push(...uplinkSteps(index, this.uplink.settings.nameservers));
    }
    return steps;
  }

  /** Removes what none of these lab hosts has a cable to. */
  async keepOnlyThoseOf(hosts: readonly LinkedHost[]): Promise<void> {
    if (!hosts.some((host) => this.uplink.grants(host.internet))) await this.uplink.remove();
    await this.#groups.keepOnly(new Set(hosts.flatMap(({ link }) => (link ? [link.group] : []))));
  }
}

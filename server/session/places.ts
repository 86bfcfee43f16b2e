// The sandboxes of a session: one for each lab host that the lab asks for, and how each is made.

import type { CreateSandbox } from '../../engine/client/types.ts';
import type { Lab } from '../../labs/lab.ts';

/** A lab host of a session. */
export interface Place {
  /** its name in the lab */
  host: string;
  /** what the engine is asked for when it is not there */
  request: CreateSandbox;
}

/** The sandbox of a session's first lab host, in single-user mode. */
export function sandboxOf(session: string): string {
  return `local-${session}`;
}

/** The lab hosts of a session, the first first. Several share a private link. */
export function placesOf(session: string, { hosts, internet }: Lab): Place[] {
  const group = sandboxOf(session);
  return hosts.map((host, index) => ({
    host,
    request: {
      name: index === 0 ? group : `${group}.${host}`,
      hostname: host,
      ...(hosts.length > 1 ? { link: { group, hosts: [...hosts] } } : {}),
      ...(internet ? { internet } : {}),
    },
  }));
}

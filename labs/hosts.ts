// The lab hosts of a lab: most have one, a lab about networks between machines has several that know each other by name.

import type { LabHost } from './host.ts';

/** What a lab calls its lab host when its front matter names none. */
export const DEFAULT_HOST = 'lab';

/** The lab hosts that a lab is done on. */
export interface LabHosts {
  /** the names in the lab's front matter; the first is meant where none is said */
  readonly names: readonly string[];
  /** Throws for a name that the lab does not have. */
  get(name?: string): LabHost;
}

/** The lab hosts by their names, the first first. */
export function labHosts(hosts: ReadonlyMap<string, LabHost>): LabHosts {
  const names = [...hosts.keys()];
  return {
    names,
    get(name = names[0] ?? DEFAULT_HOST) {
      const host = hosts.get(name);
      if (!host) throw new Error(`the lab has no host ${name}`);
      return host;
    },
  };
}

/** A lab with one lab host. */
export function oneHost(host: LabHost): LabHosts {
  return labHosts(new Map([[DEFAULT_HOST, host]]));
}

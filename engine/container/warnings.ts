// What Docker warns of when a container is made: options that will do nothing, or harm.

import type { HostConfig } from './config.ts';

const RULES: readonly (readonly [when: (host: HostConfig) => boolean, warning: string])[] = [
  [
    (host) => host.OomKillDisable && host.Memory === 0,
    'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
  ],
  [
    (host) => host.BlkioWeight !== 0,
    'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.',
  ],
  [
    (host) =>
      host.NetworkMode === 'host' && Object.values(host.PortBindings).some((bindings) => bindings.length > 0),
    'Published ports are discarded when using host network mode',
  ],
];

/** The `Warnings` of an answer to create. */
export function createWarnings(host: HostConfig): string[] {
  return RULES.filter(([when]) => when(host)).map(([, warning]) => warning);
}

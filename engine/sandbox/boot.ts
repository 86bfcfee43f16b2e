// What is done inside a new sandbox before anyone uses it: its cgroups, names and places.

import { type GroupPlace, groupHosts } from '../link/group.ts';
import type { CgroupDriver } from '../runtime/cgroup.ts';
import type { Step } from './init-types.ts';
import { IN_SANDBOX } from './sandbox.ts';

/** The lab host's own boot; networks and what else containers need is added by whoever owns that. */
export function bootSteps(cgroups: CgroupDriver, hostname: string, link: GroupPlace | undefined): Step[] {
  const ownLine = link ? groupHosts(link) : `127.0.1.1\t${hostname}\n`;
  return [
    ...cgroups.bootSteps(),
    { kind: 'mkdir', path: IN_SANDBOX.run, mode: 0o711 },
    { kind: 'mkdir', path: IN_SANDBOX.crunRoot, mode: 0o700 },
    { kind: 'mkdir', path: '/run/lock', mode: 0o1777 },
    { kind: 'symlink', target: '/run/berth/docker.sock', path: '/run/docker.sock' },
    { kind: 'write', path: '/etc/hostname', data: `${hostname}\n` },
    {
      kind: 'write',
      path: '/etc/hosts',
      data: `127.0.0.1\tlocalhost\n${ownLine}::1\tlocalhost ip6-localhost ip6-loopback\n`,
    },
    { kind: 'exec', argv: ['ip', 'link', 'set', 'lo', 'up'] },
  ];
}

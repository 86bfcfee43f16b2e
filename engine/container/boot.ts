// What containers need in a sandbox once: the init layer that lies between every image and every container.

import type { InitApi, Step } from '../sandbox/init-types.ts';
import { IN_SANDBOX, type Sandbox } from '../sandbox/sandbox.ts';
import { CONSOLE_DIR } from './files.ts';
import { pathExists } from './lab-files.ts';

const INIT_LAYER = `${IN_SANDBOX.dockerRoot}/overlay2/init/diff`;

/** The init layer as a lowerdir relative to /var/lib/docker. */
export const INIT_LAYER_LOWERDIR = 'overlay2/init/diff';

/**
 * Mount points that Docker puts into a container's layer below the writable one, so that they are there in any image
 * and are not part of `docker diff` or a commit.
 */
export function initLayerSteps(): Step[] {
  const directories = ['', '/dev', '/dev/pts', '/dev/shm', '/proc', '/sys', '/etc'];
  const files = ['/.dockerenv', '/etc/hostname', '/etc/hosts', '/etc/resolv.conf'];
  return [
    { kind: 'mkdir', path: IN_SANDBOX.dockerRoot, mode: 0o710 },
    { kind: 'mkdir', path: `${IN_SANDBOX.dockerRoot}/containers`, mode: 0o710 },
    { kind: 'mkdir', path: `${IN_SANDBOX.dockerRoot}/overlay2`, mode: 0o710 },
    { kind: 'mkdir', path: `${IN_SANDBOX.run}/bundles`, mode: 0o700 },
    { kind: 'mkdir', path: CONSOLE_DIR, mode: 0o700 },
    ...directories.map((path): Step => ({ kind: 'mkdir', path: INIT_LAYER + path, mode: 0o755 })),
    ...files.map((path): Step => ({ kind: 'write', path: INIT_LAYER + path, data: '', mode: 0o755 })),
    { kind: 'symlink', target: '/proc/mounts', path: `${INIT_LAYER}/etc/mtab` },
  ];
}

/** Whether the kernel limits memory and swap together (cgroup v1 may lack memsw). */
export function hasSwapLimit(init: InitApi, sandbox: Sandbox): Promise<boolean> {
  return sandbox.cgroupVersion === 2
    ? Promise.resolve(true)
    : pathExists(init, `${IN_SANDBOX.cgroup}/memory/memory.memsw.limit_in_bytes`);
}

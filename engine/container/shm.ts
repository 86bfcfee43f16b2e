// /dev/shm where it is shared: a shareable container's lies in the lab host, so that others can have it as well.

import type { Step } from '../sandbox/init-types.ts';
import { containerDir } from './files.ts';
import type { ContainerParts } from './parts.ts';
import type { ContainerRecord } from './record.ts';

/** nosuid, nodev, noexec (mount(2)) */
const FLAGS = 2 | 4 | 8;

function shmDir(id: string): string {
  return `${containerDir(id)}/mounts/shm`;
}

/** Makes that of a shareable container, before its start. */
export function shmSteps({ id, hostConfig }: ContainerRecord): Step[] {
  if (hostConfig.IpcMode !== 'shareable') return [];
  const path = shmDir(id);
  const data = `mode=1777,size=${hostConfig.ShmSize}`;
  return [
    { kind: 'mkdir', path, mode: 0o700 },
    { kind: 'mount', source: 'shm', path, fstype: 'tmpfs', flags: FLAGS, data },
  ];
}

/** Takes it away after the container's end. */
export function shmCleanupSteps({ id, hostConfig }: ContainerRecord): Step[] {
  return hostConfig.IpcMode === 'shareable' ? [{ kind: 'umount', path: shmDir(id) }] : [];
}

/** What is mounted at /dev/shm of a container; undefined when it has one of its own, or none. */
export function shmSource(parts: ContainerParts, record: ContainerRecord): string | undefined {
  const mode = record.hostConfig.IpcMode;
  if (mode === 'host') return '/dev/shm';
  if (mode === 'shareable') return shmDir(record.id);
  if (!mode.startsWith('container:')) return undefined;
  return shmSource(parts, parts.containers.get(mode.slice('container:'.length)).record);
}

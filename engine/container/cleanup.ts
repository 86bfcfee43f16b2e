// What a container leaves in its sandbox: the steps that take away its running parts, and those that remove it whole.

import { netnsPath } from '../network/bridge.ts';
import { runtimeState } from '../runtime/runtimes.ts';
import type { Step } from '../sandbox/init-types.ts';
import { cgroupDirs } from './cgroup.ts';
import { bundleDir, containerDir, layerDir } from './files.ts';
import type { ContainerParts } from './parts.ts';
import type { ContainerRecord } from './record.ts';
import { shmCleanupSteps } from './shm.ts';
import { unpinSteps } from './volumes.ts';

/** After its end (or a failed start): processes left in its cgroup, mounts, namespace, runtime state. All may be absent. */
export function cleanupSteps(parts: ContainerParts, record: ContainerRecord): Step[] {
  const { id, networkSandbox, networks, hostConfig } = record;
  return [
    ...cgroupDirs(parts.sandbox, id, hostConfig.CgroupParent).map(
      (path): Step => ({ kind: 'rmcgroup', path }),
    ),
    { kind: 'umount', path: `${layerDir(id)}/merged` },
    ...shmCleanupSteps(record),
    ...unpinSteps(record),
    ...(networkSandbox === '' ? [] : [{ kind: 'netnsRemove', path: netnsPath(networkSandbox) } as const]),
    { kind: 'rmtree', path: runtimeState(hostConfig.Runtime, id) },
    { kind: 'rmtree', path: bundleDir(id) },
    ...parts.networks.disconnectSteps(networks),
  ];
}

/** Its layer and its files, after the clean-up. */
export function removalSteps(parts: ContainerParts, record: ContainerRecord): Step[] {
  return [
    ...cleanupSteps(parts, record),
    { kind: 'rmtree', path: layerDir(record.id) },
    { kind: 'rmtree', path: containerDir(record.id) },
  ];
}

// Options of a container that contradict each other or name another container that is not there; in Docker's words.

import { InvalidParameter, messageOf } from '../errors.ts';
import type { ContainerConfig, HostConfig } from './config.ts';
import type { ContainerStore } from './store.ts';

/** Checks what the user asked for, before the image's configuration is added. Throws InvalidParameter. */
export function checkConflicts(config: ContainerConfig, host: HostConfig, containers: ContainerStore): void {
  if (host.NetworkMode === 'container:') {
    throw new InvalidParameter('Invalid network mode: invalid container format container:<name|id>');
  }
  if (config.Hostname !== '') {
    if (host.NetworkMode.startsWith('container:')) {
      throw new InvalidParameter('conflicting options: hostname and the network mode');
    }
    if (host.UTSMode === 'host') {
      throw new InvalidParameter('conflicting options: hostname and the UTS mode');
    }
  }
  if (host.Isolation !== '' && host.Isolation !== 'default') {
    throw new InvalidParameter(
      `Invalid isolation: ${JSON.stringify(host.Isolation)} - linux only supports 'default'`,
    );
  }
  if (Object.keys(host.Annotations ?? {}).includes('')) {
    throw new InvalidParameter('invalid Annotations: the empty string is not permitted as an annotation key');
  }
  for (const mode of [host.IpcMode, host.PidMode]) requireOther(mode, containers);
}

function requireOther(mode: string, containers: ContainerStore): void {
  const name = /^container:(.+)$/.exec(mode)?.[1];
  if (name === undefined) return;
  try {
    containers.get(name);
  } catch (error) {
    throw new InvalidParameter(messageOf(error), { cause: error });
  }
}

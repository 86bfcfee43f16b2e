// Other containers whose namespaces a container joins (`container:NAME` modes): they must run, and share.

import { Conflict, InvalidParameter } from '../errors.ts';
import type { ContainerParts } from './parts.ts';
import { type ContainerRecord, isRunning } from './record.ts';

const PREFIX = 'container:';

/** Pid of the container whose IPC namespace is joined; undefined for other modes. */
export function joinedIpc(parts: ContainerParts, mode: string): number | undefined {
  const other = joined(parts, mode);
  if (!other) return undefined;
  requireRunning(other, 'failed to join IPC namespace: ');
  const donor = other.hostConfig.IpcMode;
  if (donor !== 'shareable' && donor !== 'host' && !donor.startsWith(PREFIX)) {
    throw new InvalidParameter(
      `failed to join IPC namespace: container ${other.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
    );
  }
  return other.state.pid;
}

/** Pid of the container whose PID namespace is joined; undefined for other modes. */
export function joinedPid(parts: ContainerParts, mode: string): number | undefined {
  const other = joined(parts, mode);
  if (other) requireRunning(other, 'failed to join PID namespace: ');
  return other?.state.pid;
}

/** The container whose network is joined; undefined for other modes. */
export function joinedNetwork(parts: ContainerParts, mode: string): ContainerRecord | undefined {
  const other = joined(parts, mode);
  if (other && !isRunning(other)) {
    throw new Conflict(`cannot join network of a non running container: ${other.id}`);
  }
  return other;
}

function joined(parts: ContainerParts, mode: string): ContainerRecord | undefined {
  return mode.startsWith(PREFIX) ? parts.containers.get(mode.slice(PREFIX.length)).record : undefined;
}

function requireRunning(other: ContainerRecord, what: string): void {
  if (!isRunning(other)) throw new Conflict(`${what}container ${other.id} is not running`);
}

// docker rm: the container's files in the sandbox, then its record.

import { Conflict } from '../errors.ts';
import { removalSteps } from './cleanup.ts';
import type { Container } from './container.ts';
import { killAndWait } from './kill.ts';
import type { ContainerParts } from './parts.ts';
import { isRunning } from './record.ts';
import { removeAnonymousVolumes } from './volumes.ts';

export interface RemoveOptions {
  force: boolean;
  /** with its anonymous volumes, unless others mount them (docker rm -v) */
  volumes: boolean;
}

/** Removes a container; with `force` it is killed first. */
export async function removeContainer(
  parts: ContainerParts,
  container: Container,
  options: RemoveOptions,
): Promise<void> {
  for (;;) {
    const { status } = container.record.state;
    if (isRunning(container.record) || status === 'restarting') refuseRunning(container, options.force);
    if (isRunning(container.record)) await killAndWait(parts, container);
    const isDone = await container.lock.run(async () => {
      if (parts.containers.byFullId(container.id) === undefined) return true;
      if (isRunning(container.record)) return false;
      if (options.volumes) await parts.containers.update(container, { removesVolumes: true });
      await removeLocked(parts, container);
      return true;
    });
    if (isDone) return;
  }
}

function refuseRunning(container: Container, force: boolean): void {
  const { name, state } = container.record;
  if (force) return;
  const running = state.status === 'restarting' ? 'restarting' : 'running';
  if (state.status === 'paused') {
    throw new Conflict(`cannot remove container "/${name}": container is paused and must be unpaused first`);
  }
  throw new Conflict(
    `cannot remove container "/${name}": container is ${running}: stop the container before removing or force remove`,
  );
}

/** The removal itself; the caller holds the container's lock, and it does not run. */
export async function removeLocked(parts: ContainerParts, container: Container): Promise<void> {
  const { init } = parts.sandbox;
  clearTimeout(container.restartTimer);
  if (container.record.intent !== 'removing')
    await parts.containers.update(container, { intent: 'removing' });
  await parts.networks.exclusively(container.record.networks, () =>
    init.start(removalSteps(parts, container.record)),
  );
  if (container.isReserved) await init.forget(container.key);
  await forgetRemoved(parts, container);
}

/** The end of a removal: nothing of it is left in the sandbox but its volumes. */
export async function forgetRemoved(parts: ContainerParts, container: Container): Promise<void> {
  const { hostConfig, removesVolumes, state } = container.record;
  const { exitCode } = state;
  if (removesVolumes || hostConfig.AutoRemove) await removeAnonymousVolumes(parts, container.record);
  await parts.containers.remove(container);
  parts.names.forget(container.id);
  parts.events.publish('container', 'destroy', container.id, container.attributes);
  container.announce(['exited', 'stopped', 'removed'], { exitCode });
}

// docker pause and unpause: the cgroup freezer.

import { Conflict, messageOf, SystemError } from '../errors.ts';
import type { Container } from './container.ts';
import { setFrozen } from './freezer.ts';
import { unwatchedHealth } from './health.ts';
import type { ContainerParts } from './parts.ts';
import { isRunning } from './record.ts';

export function pauseContainer(parts: ContainerParts, container: Container): Promise<void> {
  return container.lock.run(async () => {
    if (!isRunning(container.record)) throw new Conflict(`container ${container.id} is not running`);
    if (container.record.state.status === 'paused') {
      throw new Conflict(`Container ${container.id} is already paused`);
    }
    await change(parts, container, true);
  });
}

export function unpauseContainer(parts: ContainerParts, container: Container): Promise<void> {
  return container.lock.run(async () => {
    if (container.record.state.status !== 'paused') {
      throw new Conflict(`Container ${container.id} is not paused`);
    }
    await change(parts, container, false);
  });
}

async function change(parts: ContainerParts, container: Container, pause: boolean): Promise<void> {
  const verb = pause ? 'pause' : 'unpause';
  try {
    await setFrozen(parts, container, pause);
  } catch (error) {
    throw new SystemError(`cannot ${verb} container ${container.id}: ${messageOf(error)}`, { cause: error });
  }
  const { state } = container.record;
  const health = pause ? unwatchedHealth(state.health) : state.health;
  await parts.containers.update(container, {
    state: { ...state, status: pause ? 'paused' : 'running', health },
  });
  parts.health.update(container);
  parts.events.publish('container', verb, container.id, container.attributes);
}

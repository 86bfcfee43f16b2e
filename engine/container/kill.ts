// docker kill: a signal to a container's main process.

import { Conflict, InvalidParameter, messageOf, NotFound, SystemError } from '../errors.ts';
import type { Container } from './container.ts';
import { thaw } from './freezer.ts';
import type { ContainerParts } from './parts.ts';
import { unpauseContainer } from './pause.ts';
import { isRunning } from './record.ts';
import { parseSignal } from './signals.ts';

export const SIGKILL = 9;
/** How long a killed process may take to be gone; longer means that the kernel holds it. */
const KILL_PATIENCE = 10_000;

/** Sends a signal, named as the user did; a SIGKILL is waited for. `reference` is how the user named the container. */
export async function killContainer(
  parts: ContainerParts,
  container: Container,
  signalText: string,
  reference: string,
): Promise<void> {
  let signal: number;
  try {
    signal = parseSignal(signalText || 'SIGKILL');
  } catch (error) {
    throw new InvalidParameter(`cannot kill container: ${reference}: ${messageOf(error)}`, { cause: error });
  }
  if (!isRunning(container.record)) {
    throw new Conflict(`cannot kill container: ${reference}: container ${container.id} is not running`);
  }
  if (signal === SIGKILL) {
    await killAndWait(parts, container);
    return;
  }
  // Docker takes any signal for a wish to end it, unless the container has a stop signal of its own, which then is the one.
  const { StopSignal } = container.record.config;
  const isWishToEnd = !StopSignal || parseSignal(StopSignal) === signal;
  if (isWishToEnd) await markStoppedByUser(parts, container);
  await sendSignal(parts, container, signal);
  if (isWishToEnd && container.record.state.status === 'paused') await unpauseContainer(parts, container);
}

/** Sends a signal and tells it as an event; a process that is gone meanwhile is fine. */
export async function sendSignal(parts: ContainerParts, container: Container, signal: number): Promise<void> {
  try {
    await parts.sandbox.init.signal(container.key, signal);
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
  parts.events.publish('container', 'kill', container.id, {
    ...container.attributes,
    signal: String(signal),
  });
}

/** Kills, and resolves when the container has ended. No restart policy starts it again. */
export async function killAndWait(parts: ContainerParts, container: Container): Promise<void> {
  const patience = AbortSignal.timeout(KILL_PATIENCE);
  const ended = container.next('stopped', patience);
  ended.catch(() => undefined);
  await markStoppedByUser(parts, container);
  if (!isRunning(container.record)) return;
  await sendSignal(parts, container, SIGKILL);
  if (container.record.state.status === 'paused') await thaw(parts, container);
  try {
    await ended;
  } catch (error) {
    throw new SystemError(
      `cannot kill container: ${container.id}: tried to kill container, but did not receive an exit event`,
      {
        cause: error,
      },
    );
  }
}

/** Recorded before the signal, so that the exit that follows is known as wanted. */
export function markStoppedByUser(parts: ContainerParts, container: Container): Promise<void> {
  return container.lock.run(async () => {
    if (!isRunning(container.record) || container.record.stoppedByUser) return;
    await parts.containers.update(container, { stoppedByUser: true });
  });
}

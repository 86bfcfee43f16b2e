// docker kill: a signal to a container's main process.

import { Conflict, InvalidParameter, messageOf, NotFound, SystemError } from '../errors.ts';
import { cgroupDir } from './cgroup.ts';
import type { Container } from './container.ts';
import type { ContainerParts } from './parts.ts';
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
  if (signal === SIGKILL) await killAndWait(parts, container);
  else await sendSignal(parts, container, signal);
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

/** Lets a paused container run again, by the freezer. */
export async function thaw(parts: ContainerParts, container: Container): Promise<void> {
  await setFrozen(parts, container, false);
}

/** Freezes or thaws the container's cgroup. */
export async function setFrozen(
  parts: ContainerParts,
  container: Container,
  isFrozen: boolean,
): Promise<void> {
  const directory = cgroupDir(parts.sandbox, container.id, 'freezer');
  const [file, data] =
    parts.sandbox.cgroupVersion === 2
      ? ['cgroup.freeze', isFrozen ? '1' : '0']
      : ['freezer.state', isFrozen ? 'FROZEN' : 'THAWED'];
  await parts.sandbox.init.start([{ kind: 'write', path: `${directory}/${file}`, data, plain: true }]);
}

// docker stop and docker restart: the stop signal, patience, then SIGKILL.

import { InvalidParameter, messageOf, NotModified } from '../errors.ts';
import type { Container } from './container.ts';
import { thaw } from './freezer.ts';
import { killAndWait, markStoppedByUser, sendSignal } from './kill.ts';
import type { ContainerParts } from './parts.ts';
import { isRunning } from './record.ts';
import { parseSignal } from './signals.ts';
import { startLocked } from './start.ts';

const DEFAULT_TIMEOUT = 10;
/** setTimeout takes 31 bits of milliseconds */
const LONGEST_WAIT = 2 ** 31 - 1;

export interface StopOptions {
  /** seconds; negative waits for ever; undefined is the container's own */
  timeout: number | undefined;
  /** undefined is the container's own */
  signal: string | undefined;
  /** how the user named the container */
  reference: string;
}

/** Throws NotModified when it does not run. */
export async function stopContainer(
  parts: ContainerParts,
  container: Container,
  options: StopOptions,
): Promise<void> {
  if (container.record.state.status === 'restarting') await cancelRestart(parts, container);
  else if (!isRunning(container.record)) throw new NotModified();
  else await stopRunning(parts, container, options);
}

async function cancelRestart(parts: ContainerParts, container: Container): Promise<void> {
  await container.lock.run(async () => {
    if (container.record.state.status !== 'restarting') return;
    clearTimeout(container.restartTimer);
    container.restartTimer = undefined;
    const { state } = container.record;
    await parts.containers.update(container, { stoppedByUser: true, state: { ...state, status: 'exited' } });
    container.announce(['stopped'], { exitCode: state.exitCode });
  });
}

async function stopRunning(parts: ContainerParts, container: Container, options: StopOptions): Promise<void> {
  const { config } = container.record;
  const signal = stopSignal(options, config.StopSignal);
  const seconds = options.timeout ?? config.StopTimeout ?? DEFAULT_TIMEOUT;
  const patience = new AbortController();
  const ended = container.next('stopped', patience.signal).then(
    () => true,
    () => false,
  );
  await markStoppedByUser(parts, container);
  const timer =
    seconds < 0 ? undefined : setTimeout(() => patience.abort(), Math.min(seconds * 1000, LONGEST_WAIT));
  try {
    if (isRunning(container.record)) {
      await sendSignal(parts, container, signal);
      if (container.record.state.status === 'paused') await thaw(parts, container);
      if (!(await ended) && isRunning(container.record)) await killAndWait(parts, container);
    }
  } finally {
    clearTimeout(timer);
    patience.abort();
  }
  parts.events.publish('container', 'stop', container.id, container.attributes);
}

function stopSignal({ signal, reference }: StopOptions, own: string | undefined): number {
  try {
    return parseSignal(signal || own || 'SIGTERM');
  } catch (error) {
    throw new InvalidParameter(`cannot stop container: ${reference}: ${messageOf(error)}`, { cause: error });
  }
}

/** Stops when it runs, then starts. */
export async function restartContainer(
  parts: ContainerParts,
  container: Container,
  options: StopOptions,
): Promise<void> {
  // An AutoRemove container would be gone before it could start again.
  container.isRestarting = true;
  try {
    if (isRunning(container.record)) await stopRunning(parts, container, options);
    await container.lock.run(async () => {
      if (!isRunning(container.record)) await startLocked(parts, container);
    });
  } finally {
    container.isRestarting = false;
  }
  parts.events.publish('container', 'restart', container.id, container.attributes);
}

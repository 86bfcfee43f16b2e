// The end of a container's process: recorded first, then cleaned up, told, and followed by what its policies say.

import { messageOf } from '../errors.ts';
import { formatNanos, nowNanos, parseRfc3339 } from '../events/clock.ts';
import type { Attachment } from '../network/record.ts';
import type { ProcessState } from '../sandbox/init-types.ts';
import { disconnected, publishNetworks } from './attachments.ts';
import { cleanupSteps, removalSteps } from './cleanup.ts';
import type { Container } from './container.ts';
import { unwatchedHealth } from './health.ts';
import type { ContainerParts } from './parts.ts';
import { isRunning } from './record.ts';
import { forgetRemoved } from './remove.ts';
import { startLocked } from './start.ts';
import { publishUnmounts, unmountVolumes } from './volumes.ts';

/** What is known of an end. */
export type Exit = Pick<ProcessState, 'status' | 'finished' | 'oomKilled'>;

const FIRST_DELAY = 100;
const LONGEST_DELAY = 60_000;
/** A container that ran this long starts anew with the first delay. */
const STEADY_NANOS = 10_000_000_000n;

/** Handles every exit from now on; returns what ends it. */
export function watchExits(parts: ContainerParts): () => void {
  return parts.sandbox.init.onExit((process) => {
    const id = /^container\.([0-9a-f]{64})$/.exec(process.key)?.[1];
    const container = id === undefined ? undefined : parts.containers.byFullId(id);
    if (!container) return;
    container.lock
      .run(() => handleExit(parts, container, process))
      .catch((error) => parts.log.error({ err: error, container: id }, 'an exit could not be handled'));
  });
}

/** Records and follows up an exit; the caller holds the container's lock. */
export async function handleExit(parts: ContainerParts, container: Container, exit: Exit): Promise<void> {
  const before = container.record;
  if (!isRunning(before)) return;
  const { init } = parts.sandbox;
  const ranFor = exit.finished - parseRfc3339(before.state.startedAt);
  const restarts = !container.isRestarting && shouldRestart(container, exit.status);
  const removes = before.hostConfig.AutoRemove && !container.isRestarting;
  parts.networks.release(before.networks);
  await parts.containers.update(container, {
    intent: removes ? 'removing' : 'none',
    networks: disconnected(before.networks),
    state: {
      ...before.state,
      status: restarts ? 'restarting' : 'exited',
      pid: 0,
      exitCode: exit.status,
      finishedAt: formatNanos(exit.finished),
      oomKilled: exit.oomKilled,
      health: unwatchedHealth(before.state.health),
    },
  });
  parts.health.update(container);
  const isClean = await parts.networks
    .exclusively(before.networks, () =>
      init.start(removes ? removalSteps(parts, before) : cleanupSteps(parts, before)),
    )
    .then(
      () => true,
      (error) => {
        parts.log.warn({ err: error, container: container.id }, `clean-up failed: ${messageOf(error)}`);
        return false;
      },
    );
  // Only now: what is recorded need not be remembered by berth-init any more.
  await init.forget(container.key).catch(() => undefined);
  await unmountVolumes(parts, before);
  publishEnd(parts, container, exit, before.networks, ranFor);
  const ending = { exitCode: exit.status };
  if (removes && isClean) await forgetRemoved(parts, container);
  else container.announce(restarts ? ['exited'] : ['exited', 'stopped'], ending);
  if (restarts) scheduleRestart(parts, container, ranFor);
}

function publishEnd(
  parts: ContainerParts,
  container: Container,
  exit: Exit,
  networks: readonly Attachment[],
  ranFor: bigint,
): void {
  if (exit.oomKilled) parts.events.publish('container', 'oom', container.id, container.attributes);
  publishNetworks(parts, container, 'disconnect', networks);
  publishUnmounts(parts, container.record);
  parts.events.publish('container', 'die', container.id, {
    ...container.attributes,
    execDuration: String(ranFor > 0n ? ranFor / 1_000_000_000n : 0n),
    exitCode: String(exit.status),
  });
}

/** What the restart policy says of an exit. */
export function shouldRestart(container: Container, exitCode: number): boolean {
  const { record } = container;
  const policy = record.hostConfig.RestartPolicy;
  if (record.stoppedByUser) return false;
  switch (policy.Name) {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return (
        exitCode !== 0 && (policy.MaximumRetryCount === 0 || record.restartCount < policy.MaximumRetryCount)
      );
    default:
      return false;
  }
}

/** Starts a container again after a while that doubles each time. */
export function scheduleRestart(parts: ContainerParts, container: Container, ranFor: bigint): void {
  const isSteady = ranFor >= STEADY_NANOS || container.restartDelay === 0;
  container.restartDelay = isSteady ? FIRST_DELAY : Math.min(container.restartDelay * 2, LONGEST_DELAY);
  clearTimeout(container.restartTimer);
  container.restartTimer = setTimeout(() => {
    container.lock
      .run(async () => {
        if (container.record.state.status !== 'restarting') return;
        await parts.containers.update(container, { restartCount: container.record.restartCount + 1 });
        await startLocked(parts, container);
      })
      .catch((error) =>
        parts.log.warn({ err: error, container: container.id }, 'a restart by policy failed'),
      );
  }, container.restartDelay);
}

/** An exit that nobody saw: PID 1 of the sandbox ended, and everything with it (Docker reports 255 too). */
export function unseenExit(): Exit {
  return { status: 255, finished: nowNanos(), oomKilled: false };
}

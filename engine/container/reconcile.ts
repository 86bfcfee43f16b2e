// After a start of the engine or the sandbox: what is recorded is compared with what really runs, and set right.

import { NotFound } from '../errors.ts';
import { formatNanos } from '../events/clock.ts';
import { disconnected } from './attachments.ts';
import { cleanupSteps } from './cleanup.ts';
import type { Container } from './container.ts';
import { handleExit, scheduleRestart, unseenExit } from './exits.ts';
import { healthAtStart } from './health.ts';
import { SIGKILL } from './kill.ts';
import { volumeNames } from './mount-point.ts';
import type { ContainerParts } from './parts.ts';
import { isRunning } from './record.ts';
import { removeLocked } from './remove.ts';
import { unmountVolumes } from './volumes.ts';

/** Notes what running containers hold, so that nothing of it is given away; before anything is started. */
export function claimHeld(parts: ContainerParts): void {
  for (const { record } of parts.containers.list()) {
    if (isRunning(record) || record.intent === 'starting') {
      parts.volumeMounts.claim(record.id, volumeNames(record.mounts));
    }
    parts.networks.claim(record.networks);
  }
}

/** Sets every container right, and ends what berth-init runs without a record. */
export async function reconcileContainers(parts: ContainerParts): Promise<void> {
  await Promise.all(parts.containers.list().map((container) => reconcile(parts, container)));
  for (const process of parts.sandbox.init.processes()) {
    const id = /^container\.([0-9a-f]{64})$/.exec(process.key)?.[1];
    if (id !== undefined && !parts.containers.byFullId(id)) await endProcess(parts, process.key);
  }
}

function reconcile(parts: ContainerParts, container: Container): Promise<void> {
  return container.lock.run(async () => {
    try {
      await setRight(parts, container);
      parts.health.update(container);
    } catch (error) {
      parts.log.error({ err: error, container: container.id }, 'a container could not be reconciled');
    }
  });
}

async function setRight(parts: ContainerParts, container: Container): Promise<void> {
  const { record } = container;
  const process = parts.sandbox.init.process(container.key);
  if (record.intent === 'removing') {
    await endProcess(parts, container.key);
    parts.networks.release(record.networks);
    await removeLocked(parts, container);
  } else if (record.intent === 'starting') {
    if (process) await finishStart(parts, container);
    else await undoStart(parts, container);
  } else if (isRunning(record)) {
    if (process?.state !== 'running') await handleExit(parts, container, process ?? unseenExit());
  } else {
    if (process) await endProcess(parts, container.key);
    if (record.state.status === 'restarting') scheduleRestart(parts, container, 0n);
  }
}

/** The start was under way when the engine ended, and has succeeded. */
async function finishStart(parts: ContainerParts, container: Container): Promise<void> {
  const process = parts.sandbox.init.process(container.key);
  if (!process) return;
  await parts.containers.update(container, {
    intent: 'none',
    state: {
      ...container.record.state,
      status: 'running',
      pid: process.pid,
      exitCode: 0,
      error: '',
      startedAt: formatNanos(process.started),
      oomKilled: false,
      health: healthAtStart(container.record),
    },
  });
  if (process.state === 'ended') await handleExit(parts, container, process);
}

/** The start was under way and came to nothing; nobody was told that it succeeded. */
async function undoStart(parts: ContainerParts, container: Container): Promise<void> {
  const { record } = container;
  parts.networks.release(record.networks);
  await parts.networks.exclusively(record.networks, () =>
    parts.sandbox.init.start(cleanupSteps(parts, record)),
  );
  await unmountVolumes(parts, record);
  const { state } = record;
  await parts.containers.update(container, {
    intent: 'none',
    networks: disconnected(record.networks),
    state: { ...state, status: state.status === 'restarting' ? 'exited' : state.status },
  });
}

/** Ends a process that nobody wants any more and makes berth-init forget it. */
async function endProcess(parts: ContainerParts, key: string): Promise<void> {
  const { init } = parts.sandbox;
  try {
    if (init.process(key)?.state === 'running') {
      await init.signal(key, SIGKILL);
      await init.waitExit(key, AbortSignal.timeout(10_000));
    }
    await init.forget(key);
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
}

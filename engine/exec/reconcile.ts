// After a start of the engine: what is recorded of exec instances is compared with what berth-init knows of them.

import type { ExecParts } from './parts.ts';
import { execKey, noteExit } from './start.ts';
import type { Exec } from './store.ts';

/** Docker's exit code of an exec whose container was killed. */
const KILLED = 137;

/** Sets every instance right. One that runs goes on to its end, as after a restart of dockerd with live restore. */
export async function reconcileExecs(parts: ExecParts): Promise<void> {
  for (const exec of parts.execs.list()) setRight(parts, exec);
  const { init } = parts.sandbox;
  for (const { key, state } of init.processes()) {
    const id = /^exec\.([0-9a-f]{64})$/.exec(key)?.[1];
    if (id !== undefined && !parts.execs.find(id) && state === 'ended') await init.forget(key);
  }
}

function setRight(parts: ExecParts, exec: Exec): void {
  const container = parts.containers.byFullId(exec.containerId);
  if (!container) {
    parts.execs.remove(exec.id);
    return;
  }
  container.execs.add(exec.id);
  const process = parts.sandbox.init.process(execKey(exec));
  if (process?.state === 'running') {
    exec.state = 'running';
    exec.pid = process.pid;
    parts.execs.keep(exec);
  } else if (process) {
    noteExit(parts, exec.id, process);
  } else if (exec.state === 'running') {
    noteExit(parts, exec.id, { key: execKey(exec), status: KILLED });
  } else {
    parts.execs.expire(exec);
  }
}

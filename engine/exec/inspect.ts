// GET /exec/{id}/json, and the size of an exec's terminal.

import { Conflict } from '../errors.ts';
import type { ExecParts } from './parts.ts';
import { execKey } from './start.ts';
import type { Exec } from './store.ts';

export function inspectExec(exec: Exec): Record<string, unknown> {
  const { config } = exec;
  return {
    ID: exec.id,
    Running: exec.state === 'running',
    ExitCode: exec.exitCode,
    ProcessConfig: {
      tty: config.tty,
      entrypoint: config.argv[0] ?? '',
      arguments: config.argv.slice(1),
      privileged: config.privileged,
      ...(config.user === '' ? {} : { user: config.user }),
    },
    OpenStdin: config.attachStdin,
    OpenStderr: config.attachStderr,
    OpenStdout: config.attachStdout,
    CanRemove: false,
    ContainerID: exec.containerId,
    DetachKeys: '',
    Pid: exec.pid,
  };
}

export async function resizeExec(parts: ExecParts, exec: Exec, rows: number, cols: number): Promise<void> {
  if (exec.state !== 'running') throw new Conflict(`exec process is not running`);
  await parts.sandbox.init.resize(execKey(exec), rows, cols);
}

// docker exec, first half: what is to run in a container is noted and gets an id.

import type { Container } from '../container/container.ts';
import { newId } from '../container/id.ts';
import { isRunning } from '../container/record.ts';
import { Conflict, InvalidParameter } from '../errors.ts';
import type { ExecParts } from './parts.ts';
import type { Exec, ExecConfig } from './store.ts';

/** The kernel takes 128 KiB in one argument. */
const MAX_ARGUMENTS = 128 * 1024;

/** Throws Conflict unless the container runs. */
export function requireRunning(container: Container): void {
  const { record } = container;
  if (record.state.status === 'restarting') {
    throw new Conflict(`Container ${record.id} is restarting, wait until the container is running`);
  }
  if (!isRunning(record)) throw new Conflict(`container ${record.id} is not running`);
  if (record.state.status === 'paused') {
    throw new Conflict(`Container ${record.name} is paused, unpause the container before exec`);
  }
}

export async function createExec(parts: ExecParts, container: Container, config: ExecConfig): Promise<Exec> {
  requireRunning(container);
  if (config.argv.length === 0 || config.argv[0] === '')
    throw new InvalidParameter('No exec command specified');
  if (config.workingDir !== '' && !config.workingDir.startsWith('/')) {
    throw new InvalidParameter(`Cwd must be an absolute path: ${config.workingDir}`);
  }
  const size = [...config.argv, ...config.env].reduce((sum, text) => sum + text.length, 0);
  if (size > MAX_ARGUMENTS) throw new InvalidParameter('the command and its environment are too long');
  if ([...config.argv, ...config.env, config.workingDir].some((text) => text.includes('\0'))) {
    throw new InvalidParameter('a NUL byte is not allowed here');
  }
  const exec: Exec = {
    id: newId(),
    containerId: container.id,
    config,
    state: 'created',
    exitCode: null,
    pid: 0,
  };
  container.execs.add(exec.id);
  await parts.execs.add(exec);
  publishExec(parts, container, exec, `exec_create: ${commandOf(exec)}`);
  return exec;
}

/** An exec's command as events name it: moby's "command args", with a space even when there are no arguments. */
export function commandOf({ config: { argv } }: Pick<Exec, 'config'>): string {
  return `${argv[0] ?? ''} ${argv.slice(1).join(' ')}`;
}

/** Publishes an exec event of a container. */
export function publishExec(
  parts: Pick<ExecParts, 'events'>,
  container: Container,
  exec: Pick<Exec, 'id'>,
  action: string,
  more: Record<string, string> = {},
): void {
  parts.events.publish('container', action, container.id, {
    ...container.attributes,
    execID: exec.id,
    ...more,
  });
}

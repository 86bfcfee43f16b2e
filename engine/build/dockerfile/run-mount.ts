// A RUN --mount in the graph: where it comes from, where it goes.

import { posix } from 'node:path';
import type { ExecMount } from '../graph.ts';
import type { Draft } from './draft.ts';
import { quote } from './go-text.ts';
import type { MountOptions } from './mount.ts';
import type { PlanContext } from './plan-context.ts';
import type { StageState } from './stage-state.ts';

interface MountContext {
  readonly state: StageState;
  /** the stage that `from` names */
  readonly from: StageState | undefined;
  /** the number of an input of the process's step */
  useInput(draft: Draft): number;
  readonly context: PlanContext;
  /** how many ssh mounts come before it in the instruction */
  readonly sshBefore: number;
}

/** Throws an Error in BuildKit's words. */
export function planMount(mount: MountOptions, on: MountContext): ExecMount {
  if (mount.type === 'secret') return planSecret(mount);
  if (mount.type === 'ssh') return planSsh(mount, on.sshBefore);
  const target = mountTarget(mount.target, on.state.directory);
  if (mount.type === 'tmpfs') return { type: 'tmpfs', target, size: mount.size };
  const source = posix.join('/', mount.source);
  const from = mountInput(mount, source, on);
  if (mount.type === 'bind') return { type: 'bind', target, from, source, readonly: mount.readonly };
  return {
    type: 'cache',
    target,
    id: mount.id === '' ? posix.normalize(mount.target) : mount.id,
    sharing: mount.sharing ?? 'shared',
    from,
    source,
    mode: mount.mode ?? 0o755,
    uid: mount.uid ?? 0,
    gid: mount.gid ?? 0,
    readonly: mount.readonly,
  };
}

function mountTarget(target: string, directory: string): string {
  const clean = posix.normalize(target === '' ? '.' : target);
  const absolute = clean.startsWith('/') ? target : posix.join('/', directory, target);
  if (posix.normalize(absolute) === '/') throw new Error(`invalid mount target ${quote(absolute)}`);
  return absolute;
}

/** A bind without `from` is of the context, a cache without it begins empty. */
function mountInput(mount: MountOptions, source: string, on: MountContext): number | undefined {
  if (mount.from === '') {
    return mount.type === 'bind' ? on.useInput(on.context.useContext([source])) : undefined;
  }
  const { from } = on;
  if (from === undefined || !from.isApplied) {
    throw new Error(
      `cannot mount from stage ${quote(mount.from)} to ${quote(mount.target)}, stage needs to be defined before current command`,
    );
  }
  from.paths.add(source);
  return from.root === undefined ? undefined : on.useInput(from.root);
}

function planSecret(mount: MountOptions): ExecMount {
  const id = mount.source || mount.id || posix.basename(mount.target);
  const ofFile = mount.target === '' ? `/run/secrets/${posix.basename(id)}` : mount.target;
  const isVariableOnly = mount.env !== undefined && mount.target === '';
  return {
    type: 'secret',
    target: isVariableOnly ? undefined : ofFile,
    env: mount.env === undefined ? undefined : mount.env || id,
    id,
    required: mount.required,
    mode: mount.mode ?? 0o400,
    uid: mount.uid ?? 0,
    gid: mount.gid ?? 0,
  };
}

function planSsh(mount: MountOptions, number: number): ExecMount {
  if (mount.source !== '') throw new Error('ssh does not support source');
  return {
    type: 'ssh',
    target: mount.target === '' ? `/run/buildkit/ssh_agent.${number}` : mount.target,
    id: mount.id === '' ? 'default' : mount.id,
    required: mount.required,
    mode: mount.mode ?? 0o600,
    uid: mount.uid ?? 0,
    gid: mount.gid ?? 0,
  };
}

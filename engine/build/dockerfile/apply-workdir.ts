// WORKDIR: where processes start; the directory is made, as a layer.

import { posix } from 'node:path';
import type { WordInstruction } from './instruction.ts';
import { ownerOf } from './owner.ts';
import { type Expander, type PlanContext, titleOf } from './plan-context.ts';
import type { Command, StageState } from './stage-state.ts';

/** A working directory as BuildKit writes it: absolute; a relative one is in the one before. */
export function resolveWorkdir(current: string, path: string): string {
  if (path === '') return current === '' ? '/' : posix.join('/', current);
  return path.startsWith('/') ? path : posix.join('/', current, path).replace(/(.)\/$/, '$1');
}

export function applyWorkdir(
  state: StageState,
  command: Command & { instruction: WordInstruction },
  expander: Expander,
  context: PlanContext,
): void {
  const { instruction } = command;
  const path = expander.word(instruction.value);
  if (!state.setsWorkdir && !path.startsWith('/')) {
    const message = `Relative workdir "${path}" can have unexpected results if the base image changes`;
    context.checker.report('WorkdirRelativePath', instruction.source, message, instruction.statement);
  }
  state.setsWorkdir = true;
  const directory = resolveWorkdir(state.image.config.WorkingDir ?? '', path);
  state.image.config.WorkingDir = directory;
  state.directory = directory;
  if (directory === '/') {
    state.record(`WORKDIR ${directory}`);
    return;
  }
  const title = titleOf(expander.name(instruction.text, { keepsQuotes: false }));
  const user = state.image.config.User ?? '';
  state.root = context.graph.add({
    name: state.stepName(title, command.isTrigger),
    operation: {
      kind: 'file',
      root: state.root === undefined ? undefined : 0,
      actions: [{ type: 'makeDirectory', path: directory, mode: 0o755, owner: ownerOf(user) }],
      isLinked: false,
    },
    inputs: state.root === undefined ? [] : [state.root],
    ignoresCache: false,
    source: instruction.source,
  });
  state.record(`WORKDIR ${directory}`, state.root);
}

// What each instruction does to its stage: a table of handlers by kind.

import { applyConfig } from './apply-config.ts';
import { applyCopy } from './apply-copy.ts';
import { applyExpose } from './apply-expose.ts';
import { applyRun } from './apply-run.ts';
import { applyArg, applyEnv } from './apply-variables.ts';
import { applyWorkdir } from './apply-workdir.ts';
import type { PlanContext } from './plan-context.ts';
import type { Command, StageState } from './stage-state.ts';

/** Does one instruction to its stage. Throws Errors in BuildKit's words, without their place. */
export function applyCommand(state: StageState, command: Command, context: PlanContext): void {
  const { instruction } = command;
  const expander = context.expanderFor(state, instruction);
  switch (instruction.kind) {
    case 'arg':
      applyArg(state, instruction, expander, context);
      break;
    case 'env':
      applyEnv(state, instruction, expander, context);
      break;
    case 'run':
      applyRun(state, { ...command, instruction }, expander, context);
      break;
    case 'copy':
    case 'add':
      applyCopy(state, { ...command, instruction }, expander, context);
      break;
    case 'expose':
      applyExpose(state, instruction, expander, context);
      break;
    case 'workdir':
      applyWorkdir(state, { ...command, instruction }, expander, context);
      break;
    default:
      applyConfig(state, instruction, expander, context);
      break;
  }
}

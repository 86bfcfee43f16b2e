// The instructions that only change the image's configuration: CMD, ENTRYPOINT, LABEL, USER, HEALTHCHECK and the like.

import { parseSignal } from '../../container/signals.ts';
import { reportLegacy } from './apply-variables.ts';
import { formatDuration, quote } from './go-text.ts';
import type {
  CmdInstruction,
  CommandLine,
  EntrypointInstruction,
  HealthcheckInstruction,
  Instruction,
} from './instruction.ts';
import { type Expander, type PlanContext, reportRepeated } from './plan-context.ts';
import type { DraftImage, StageState } from './stage-state.ts';

export function applyConfig(
  state: StageState,
  instruction: Instruction,
  expander: Expander,
  context: PlanContext,
): void {
  const { config } = state.image;
  switch (instruction.kind) {
    case 'cmd':
      applyCmd(state, instruction, context);
      break;
    case 'entrypoint':
      applyEntrypoint(state, instruction, context);
      break;
    case 'healthcheck':
      applyHealthcheck(state, instruction, context);
      break;
    case 'label': {
      const pairs = instruction.pairs.map(({ key, value, isLegacy }) => {
        if (isLegacy) reportLegacy(instruction, context);
        return [expander.word(key), expander.word(value)] as const;
      });
      config.Labels = withEntries(config.Labels, pairs);
      state.record(`LABEL ${pairs.map(([key, value]) => `${key}=${value}`).join(' ')}`);
      break;
    }
    case 'user':
      state.user = expander.word(instruction.value);
      config.User = state.user;
      state.record(`USER ${state.user}`);
      break;
    case 'maintainer':
      state.image.author = instruction.value;
      state.record(`MAINTAINER ${instruction.value}`);
      break;
    case 'stopsignal': {
      const signal = expander.word(instruction.value);
      parseSignal(signal);
      config.StopSignal = signal;
      state.record(`STOPSIGNAL ${signal}`);
      break;
    }
    case 'volume': {
      const volumes = instruction.volumes.map((volume) => expander.word(volume));
      if (volumes.includes('')) throw new Error('VOLUME specified can not be an empty string');
      config.Volumes = withEntries(
        config.Volumes,
        volumes.map((volume) => [volume, {}] as const),
      );
      state.record(`VOLUME [${volumes.join(' ')}]`);
      break;
    }
    case 'shell':
      config.Shell = [...instruction.shell];
      state.record(`SHELL [${instruction.shell.join(' ')}]`);
      break;
    case 'onbuild':
      config.OnBuild = [...(config.OnBuild ?? []), instruction.trigger];
      break;
    default:
      throw new Error(`${instruction.kind} is no instruction of the configuration`);
  }
}

/** The record with more entries, whatever their names (`__proto__`). */
export function withEntries<V>(
  record: Readonly<Record<string, V>> | null | undefined,
  entries: Iterable<readonly [string, V]>,
): Record<string, V> {
  return Object.fromEntries([...Object.entries(record ?? {}), ...entries]);
}

/** The arguments of a process: in the shell form, SHELL comes before. */
export function commandArgs(image: DraftImage, { args, usesShell }: CommandLine): string[] {
  if (!usesShell) return [...args];
  const shell = image.config.Shell ?? [];
  return [...(shell.length > 0 ? shell : ['/bin/sh', '-c']), args.join(' ')];
}

function quoteList(words: readonly string[]): string {
  return `[${words.map(quote).join(' ')}]`;
}

function reportShellForm(
  state: StageState,
  { command, statement, source }: CmdInstruction | EntrypointInstruction,
  { checker }: PlanContext,
): void {
  if (!command.usesShell || (state.image.config.Shell ?? []).length > 0) return;
  const message = `JSON arguments recommended for ${statement.keyword} to prevent unintended behavior related to OS signals`;
  checker.report('JSONArgsRecommended', source, message, statement);
}

function applyCmd(state: StageState, instruction: CmdInstruction, context: PlanContext): void {
  reportRepeated(state, instruction, context.checker);
  reportShellForm(state, instruction, context);
  const args = commandArgs(state.image, instruction.command);
  state.image.config.Cmd = args;
  state.image.config.ArgsEscaped = true;
  state.record(`CMD ${quoteList(args)}`);
}

/** A new entry point makes the base image's CMD meaningless. */
function applyEntrypoint(state: StageState, instruction: EntrypointInstruction, context: PlanContext): void {
  reportRepeated(state, instruction, context.checker);
  reportShellForm(state, instruction, context);
  const args = commandArgs(state.image, instruction.command);
  if (args.length === 0) delete state.image.config.Entrypoint;
  else state.image.config.Entrypoint = args;
  if (!state.once.has('cmd')) delete state.image.config.Cmd;
  state.record(`ENTRYPOINT ${quoteList(args)}`);
}

function applyHealthcheck(
  state: StageState,
  instruction: HealthcheckInstruction,
  context: PlanContext,
): void {
  reportRepeated(state, instruction, context.checker);
  const { test, interval, timeout, startPeriod, startInterval, retries } = instruction;
  state.image.config.Healthcheck = {
    Test: [...test],
    ...(interval === 0 ? {} : { Interval: interval }),
    ...(timeout === 0 ? {} : { Timeout: timeout }),
    ...(startPeriod === 0 ? {} : { StartPeriod: startPeriod }),
    ...(startInterval === 0 ? {} : { StartInterval: startInterval }),
    ...(retries === 0 ? {} : { Retries: retries }),
  };
  const times = [interval, timeout, startPeriod, startInterval].map((time) => quote(formatDuration(time)));
  // Go prints the whole structure with %q, hence the number of retries as a character.
  state.record(`HEALTHCHECK &{${quoteList(test)} ${times.join(' ')} ${quoteRune(retries)}}`);
}

function quoteRune(code: number): string {
  const isCharacter = code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  const character = isCharacter ? String.fromCodePoint(code) : '\ufffd';
  if (character === "'") return "'\\''";
  return character === '"' ? `'"'` : `'${quote(character).slice(1, -1)}'`;
}

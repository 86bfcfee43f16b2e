// ARG and ENV: variables of the build, and of the image.

import type { ArgInstruction, EnvInstruction } from './instruction.ts';
import type { Expander, PlanContext } from './plan-context.ts';
import type { StageState } from './stage-state.ts';
import { checkSecretName } from './static-checks.ts';

/** Arguments that say how BuildKit works, and are no variables of processes. */
const NOT_IN_ENVIRONMENT = new Set(['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE']);

export function applyArg(
  state: StageState,
  instruction: ArgInstruction,
  expander: Expander,
  context: PlanContext,
): void {
  const shown: string[] = [];
  for (const { name, value: written } of instruction.args) {
    checkSecretName('ARG', name, instruction, context.checker);
    const given = context.request.buildArgs.get(name);
    let value = given;
    if (given === undefined) {
      value = written === undefined ? context.globalArgs.get(name) : expander.word(written);
    }
    if (value !== undefined && !NOT_IN_ENVIRONMENT.has(name)) state.setEnv(name, value);
    state.args.push({ name, value });
    shown.push(value === undefined ? name : `${name}=${value}`);
  }
  state.record(`ARG ${shown.join(' ')}`);
}

export function applyEnv(
  state: StageState,
  instruction: EnvInstruction,
  expander: Expander,
  context: PlanContext,
): void {
  const expanded = instruction.pairs.map((pair) => ({
    ...pair,
    key: expander.word(pair.key),
    value: expander.word(pair.value),
  }));
  const env = [...(state.image.config.Env ?? [])];
  let message = 'ENV';
  for (const { key, value, isLegacy } of expanded) {
    if (isLegacy) reportLegacy(instruction, context);
    checkSecretName('ENV', key, instruction, context.checker);
    message += ` ${key}=${value}`;
    state.setEnv(key, value);
    const at = env.findIndex((entry) => entry.split('=', 1)[0] === key);
    if (at < 0) env.push(`${key}=${value}`);
    else env[at] = `${key}=${value}`;
  }
  state.image.config.Env = env;
  state.record(message);
}

/** `ENV name value`, `LABEL name value`. */
export function reportLegacy(
  { statement, source }: Pick<EnvInstruction, 'statement' | 'source'>,
  { checker }: Pick<PlanContext, 'checker'>,
): void {
  const { keyword } = statement;
  const message = `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`;
  checker.report('LegacyKeyValueFormat', source, message, statement);
}

// The build checks that need nothing but the text of a Dockerfile.

import { parseReference } from '../../image/reference.ts';
import type { Checker } from './checker.ts';
import type { Dockerfile, Instruction, Stage } from './instruction.ts';
import type { Syntax } from './syntax.ts';

const RESERVED = new Set(['context', 'scratch']);

/** Reports what the text of a Dockerfile shows, in BuildKit's order. */
export function checkText(dockerfile: Dockerfile, syntax: Syntax, checker: Checker): void {
  for (const { source } of syntax.emptyContinuations) {
    checker.report('NoEmptyContinuation', source, 'Empty continuation line');
  }
  for (const arg of dockerfile.globalArgs) checkInstruction(arg, checker);
  for (const stage of dockerfile.stages) {
    checkFrom(stage, checker);
    for (const instruction of stage.instructions) checkInstruction(instruction, checker);
  }
  checkStageNames(dockerfile.stages, checker);
  checkCasing(dockerfile.stages, checker);
}

function checkFrom({ from }: Stage, checker: Checker): void {
  const { statement, source } = from;
  const [, as, name] = statement.args;
  if (name !== undefined && name !== name.toLowerCase()) {
    const message = `Stage name '${name}' should be lowercase`;
    checker.report('StageNameCasing', source, message, statement);
  }
  if (as !== undefined && !matchesCase(statement.keyword, as)) {
    const message = `'${as}' and '${statement.keyword}' keywords' casing do not match`;
    checker.report('FromAsCasing', source, message, statement);
  }
  if (from.name !== '') checkDescription('FROM', [from.name], from, checker);
}

function matchesCase(keyword: string, as: string): boolean {
  if (keyword === keyword.toLowerCase()) return as === as.toLowerCase();
  return keyword !== keyword.toUpperCase() || as === as.toUpperCase();
}

function checkInstruction(instruction: Instruction, checker: Checker): void {
  if (instruction.kind === 'maintainer') {
    const message = 'Maintainer instruction is deprecated in favor of using label';
    checker.report('MaintainerDeprecated', instruction.source, message, instruction.statement);
  }
  if (instruction.kind === 'arg') {
    const names = instruction.args.map((arg) => arg.name);
    checkDescription('ARG', names, instruction, checker);
  }
}

/** The last comment right above should begin with the name of what it describes. */
function checkDescription(
  keyword: string,
  names: readonly string[],
  { statement, source }: Pick<Instruction, 'statement' | 'source'>,
  checker: Checker,
): void {
  const described = statement.comments.at(-1)?.split(' ')[0];
  const [first = ''] = names;
  if (described === undefined || names.includes(described)) return;
  const example = names.length > 1 ? '<arg_key>' : first;
  checker.report(
    'InvalidDefinitionDescription',
    source,
    `Comment for ${keyword} should follow the format: \`# ${example} <description>\``,
    statement,
  );
}

function checkStageNames(stages: readonly Stage[], checker: Checker): void {
  const seen = new Set<string>();
  for (const { from } of stages) {
    if (from.name === '') continue;
    if (RESERVED.has(from.name)) {
      const message = `Stage name should not use the same name as reserved stage "${from.name}"`;
      checker.report('ReservedStageName', from.source, message);
    }
    if (seen.has(from.name)) {
      const message = `Duplicate stage name "${from.name}", stage names should be unique`;
      checker.report('DuplicateStageName', from.source, message);
    }
    seen.add(from.name);
  }
}

function checkCasing(stages: readonly Stage[], checker: Checker): void {
  const instructions = stages.flatMap((stage) => [stage.from, ...stage.instructions]);
  const keywords = instructions.map(({ statement }) => statement.keyword);
  const lower = keywords.filter((keyword) => keyword === keyword.toLowerCase()).length;
  const upper = keywords.filter((keyword) => keyword === keyword.toUpperCase()).length;
  const isLower = lower > upper;
  for (const { statement, source } of instructions) {
    const { keyword } = statement;
    if (keyword === (isLower ? keyword.toLowerCase() : keyword.toUpperCase())) continue;
    const casing = isLower ? 'lowercase' : 'uppercase';
    checker.report(
      'ConsistentInstructionCasing',
      source,
      `Command '${keyword}' should match the case of the command majority (${casing})`,
    );
  }
}

/** Base images must have a valid name also when no build argument is given. */
export function checkDefaultBases(
  stages: readonly Stage[],
  expand: (word: string) => string,
  checker: Checker,
): void {
  for (const { from } of stages) {
    try {
      parseReference(expand(from.base));
    } catch {
      checker.report(
        'InvalidDefaultArgInFrom',
        from.source,
        `Default value for ARG ${from.base} results in empty or invalid base image name`,
      );
    }
  }
}

const SECRET = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const NO_SECRET = /(?:_|^)(?:public|file|version)(?:_|$)/i;

/** Names that look like those of secrets. */
export function checkSecretName(
  keyword: 'ARG' | 'ENV',
  name: string,
  { statement, source }: Pick<Instruction, 'statement' | 'source'>,
  checker: Checker,
): void {
  if (!SECRET.test(name) || NO_SECRET.test(name)) return;
  const message = `Do not use ARG or ENV instructions for sensitive data (${keyword} "${name}")`;
  checker.report('SecretsUsedInArgOrEnv', source, message, statement);
}

// What the handlers of instructions share: the build's settings, the graph being made, the checks.

import type { BuildRequest } from '../build.ts';
import type { SourceRange } from '../graph.ts';
import type { PatternList } from '../patterns.ts';
import type { Checker } from './checker.ts';
import type { EscapeCharacter } from './directives.ts';
import type { Draft, DraftGraph } from './draft.ts';
import { trimSpace } from './go-text.ts';
import type { Instruction } from './instruction.ts';
import type { StageState } from './stage-state.ts';
import { nearest } from './suggest.ts';
import { expandWord, expandWords, type WordOptions } from './word.ts';

/** Expands the variables of one instruction. */
export interface Expander {
  /** one word; quotes and escapes go away */
  word(text: string): string;
  /** split at white space after expansion */
  words(text: string): string[];
  /** content of a heredoc: quotes stay */
  content(text: string): string;
  /** a step's name: what is wrong or not set stays as it is */
  name(text: string, options: { keepsQuotes: boolean; masked?: ReadonlySet<string> }): string;
}

/** UTF-16 units of a heredoc's expanded content. */
const CONTENT_MAX = 1024 * 1024;

export interface PlanContext {
  readonly request: BuildRequest;
  readonly graph: DraftGraph;
  readonly checker: Checker;
  readonly escape: EscapeCharacter;
  /** ARGs before the first FROM, and the predefined ones */
  readonly globalArgs: ReadonlyMap<string, string>;
  /** of .dockerignore; undefined where there is none */
  readonly ignored: PatternList | undefined;
  /** the build context as an input; asking for it says that these paths of it are needed */
  useContext(paths: readonly string[]): Draft;
  expanderFor(state: StageState, instruction: Instruction): Expander;
}

/** Makes the expander of one instruction in the environment that its stage has now. */
export function makeExpander(
  state: StageState,
  instruction: Pick<Instruction, 'source' | 'statement'>,
  context: Pick<PlanContext, 'checker' | 'escape'>,
): Expander {
  const lookup = (name: string) => state.env.get(name);
  const options: WordOptions = { escape: context.escape, lookup };
  const expand = (text: string, more: Partial<WordOptions>): string => {
    const { text: expanded, unmatched } = expandWord(text, { ...options, ...more });
    reportUnmatched(unmatched, state, instruction, context.checker);
    return expanded;
  };
  return {
    word: (text) => (isPlain(text, context.escape) ? text : expand(text, {})),
    words: (text) => expandWords(text, options),
    content: (text) => expand(text, { escape: '\\', ignoresQuotes: true, limit: CONTENT_MAX }),
    name: (text, { keepsQuotes, masked }) => {
      try {
        return expandWord(text, {
          escape: context.escape,
          lookup: (name) => (masked?.has(name) ? '****' : lookup(name)),
          keepsQuotes,
          keepsUnset: keepsQuotes,
        }).text;
      } catch {
        return text;
      }
    },
  };
}

/** Most words have nothing in them that means something. */
function isPlain(text: string, escapeCharacter: string): boolean {
  return !/[$'"]/.test(text) && !text.includes(escapeCharacter) && text.length < 1024;
}

function reportUnmatched(
  unmatched: ReadonlySet<string>,
  state: StageState,
  { source, statement }: Pick<Instruction, 'source' | 'statement'>,
  checker: Checker,
): void {
  for (const name of unmatched) {
    if (state.args.some((arg) => arg.name === name) || name.startsWith('BUILDKIT_SBOM_SCAN_')) continue;
    const meant = nearest(name, state.env.keys());
    const hint = meant === undefined ? '' : ` (did you mean $${meant}?)`;
    checker.report('UndefinedVar', source, `Usage of undefined variable '$${name}'${hint}`, statement);
  }
}

/** The instruction's text with its keyword in upper case: how progress names its step. */
export function titleOf(text: string): string {
  const space = text.indexOf(' ');
  return space < 0 ? text.toUpperCase() : text.slice(0, space).toUpperCase() + text.slice(space);
}

/** The first line of a heredoc, for a step's name. */
export function summarize(content: string): string {
  const [first = '', ...rest] = trimSpace(content).split(/\r?\n/);
  return rest.length > 0 ? `${first}...` : first;
}

/** Reports an instruction that only counts once in a stage: the place of the one that does not count. */
export function reportRepeated(
  state: StageState,
  { kind, source, statement }: Instruction,
  checker: Checker,
): void {
  const before: SourceRange | undefined = state.once.get(kind);
  if (before !== undefined) {
    const message = `Multiple ${statement.keyword} instructions should not be used in the same stage because only the last one will be used`;
    checker.report('MultipleInstructionsDisallowed', before, message, statement);
  }
  state.once.set(kind, source);
}

// The stages of a Dockerfile and how they depend on each other: FROM, COPY --from, RUN --mount=from=, ONBUILD.

import type { BuildRequest } from '../build.ts';
import { BuildError } from '../error.ts';
import type { SourceRange } from '../graph.ts';
import type { Checker } from './checker.ts';
import type { EscapeCharacter } from './directives.ts';
import { quote } from './go-text.ts';
import type { FromInstruction, Instruction, Stage } from './instruction.ts';
import { locate } from './locate.ts';
import { csvFields } from './mount.ts';
import { type Platform, parsePlatform } from './platform.ts';
import { readTrigger } from './read.ts';
import { type Command, StageState } from './stage-state.ts';
import { nearest, withSuggestion } from './suggest.ts';
import { parseTrigger } from './syntax.ts';
import { type Expansion, expandWord } from './word.ts';

export interface StageOptions {
  readonly request: BuildRequest;
  readonly checker: Checker;
  readonly escape: EscapeCharacter;
  readonly globalArgs: ReadonlyMap<string, string>;
  /** names of ARGs before the first FROM, also without a value */
  readonly declaredArgs: ReadonlySet<string>;
  readonly platform: Platform;
}

/** All stages of a build, also those that stand for images that instructions refer to. */
export class Stages {
  readonly all: StageState[] = [];
  readonly #byName = new Map<string, StageState>();
  readonly #options: StageOptions;

  constructor(stages: readonly Stage[], options: StageOptions) {
    this.#options = options;
    for (const [index, stage] of stages.entries()) this.#addStage(stage, index);
    const bodies = this.all.map((state, index) => ({
      state,
      instructions: stages[index]?.instructions ?? [],
    }));
    for (const { state, instructions } of bodies) {
      state.commands = instructions.map((instruction) => this.#command(state, instruction, false));
    }
    this.#refuseCircles();
    const [only] = this.all;
    if (only !== undefined && this.all.length === 1) only.displayName = '';
  }

  /** The stage that --target names; the last one of the Dockerfile for ''. */
  target(name: string): StageState {
    const named = this.all.filter((state) => !state.isImplicit);
    const state = name === '' ? named.at(-1) : this.#byName.get(name.toLowerCase());
    if (state !== undefined) return state;
    const names = this.all.map((one) => one.givenName || one.displayName);
    throw new BuildError(withSuggestion(`target stage ${quote(name)} could not be found`, name, names));
  }

  get names(): string[] {
    return this.all.map((state) => state.displayName).filter((name) => name !== '');
  }

  /** Puts a base's ONBUILD instructions before a stage's own; true when they refer to other stages. */
  addTriggers(state: StageState, triggers: readonly string[]): boolean {
    const commands = triggers.map((text) => {
      try {
        const { statements } = parseTrigger(text);
        const [statement] = statements;
        if (statement === undefined || statements.length !== 1) {
          throw new Error('onbuild trigger should be a single expression');
        }
        const instruction = { ...readTrigger(statement), source: state.source };
        return this.#command(state, instruction, true);
      } catch (error) {
        throw locate(error, state.source, { replaces: true });
      }
    });
    state.commands = [...commands, ...state.commands];
    state.steps += commands.length;
    return commands.some((command) => command.sources.length > 0);
  }

  #addStage({ from, instructions }: Stage, index: number): void {
    const { request } = this.#options;
    try {
      const state = new StageState({
        givenName: from.name,
        baseName: this.#baseName(from),
        displayName: from.name === '' ? `stage-${index}` : from.name,
        source: from.source,
        platform: this.#options.platform,
        isImplicit: false,
      });
      state.platform = this.#platformOf(from);
      this.#register(state);
      const makesSteps = instructions.filter(({ kind }) => /^(?:add|copy|run|workdir)$/.test(kind));
      state.steps = makesSteps.length + (state.baseName !== 'scratch' && state.base === undefined ? 1 : 0);
      state.ignoresCache =
        request.noCache === true ||
        (Array.isArray(request.noCache) &&
          request.noCache.some((name: string) => name.toLowerCase() === from.name && name !== ''));
    } catch (error) {
      throw locate(error, from.source);
    }
  }

  #register(state: StageState): void {
    this.all.push(state);
    state.base = this.#byName.get(state.baseName);
    if (state.givenName !== '') this.#byName.set(state.givenName, state);
  }

  #expandGlobal(word: string): Expansion {
    const { escape: escapeCharacter, globalArgs } = this.#options;
    return expandWord(word, { escape: escapeCharacter, lookup: (name) => globalArgs.get(name) });
  }

  #baseName(from: FromInstruction): string {
    const { text, unmatched } = this.#expandGlobal(from.base);
    this.#reportUndeclared(unmatched, from);
    if (text === '') throw new Error(`base name (${from.base}) should not be blank`);
    return text;
  }

  #platformOf(from: FromInstruction): Platform | undefined {
    if (from.platform === '') return undefined;
    const { globalArgs, checker } = this.#options;
    const expansion = this.#expandGlobal(from.platform);
    const { text, matched, unmatched } = expansion;
    this.#reportUndeclared(unmatched, from);
    this.#reportPlatform(from, expansion);
    const hint = (message: string) => {
      const [name = ''] = unmatched;
      return withSuggestion(message, name, name === '' ? [] : globalArgs.keys());
    };
    if (text === '') throw new Error(hint(`empty platform value from expression ${from.platform}`));
    try {
      const platform = parsePlatform(text);
      if (matched.size === 0 && unmatched.size === 0 && !this.#isNamedAfter(from, platform)) {
        const message = `FROM --platform flag should not use constant value ${quote(text)}`;
        checker.report('FromPlatformFlagConstDisallowed', from.source, message, from.statement);
      }
      return platform;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`failed to parse platform ${from.platform}: ${hint(reason)}`);
    }
  }

  #isNamedAfter(from: FromInstruction, platform: Platform): boolean {
    return from.name.includes(platform.os) || from.name.includes(platform.architecture);
  }

  #reportPlatform(from: FromInstruction, { text, matched, unmatched }: Expansion): void {
    const isTarget = matched.size === 1 && unmatched.size === 0 && matched.has('TARGETPLATFORM');
    if (!isTarget || text !== this.#options.globalArgs.get('TARGETPLATFORM')) return;
    const message = `Setting platform to predefined ${from.platform} in FROM is redundant as this is the default behavior`;
    this.#options.checker.report('RedundantTargetPlatform', from.source, message, from.statement);
  }

  #reportUndeclared(unmatched: ReadonlySet<string>, from: FromInstruction): void {
    const { declaredArgs, globalArgs, checker } = this.#options;
    const known = new Set([...declaredArgs, ...globalArgs.keys()]);
    for (const name of unmatched) {
      if (known.has(name)) continue;
      const meant = nearest(name, known);
      const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`;
      const message = `FROM argument '${name}' is not declared${hint}`;
      checker.report('UndefinedArgInFrom', from.source, message, from.statement);
    }
  }

  /** An instruction with the stages that it refers to. */
  #command(state: StageState, instruction: Instruction, isTrigger: boolean): Command {
    try {
      const sources = this.#sources(instruction);
      for (const source of sources) state.dependencies.set(source, instruction);
      return { instruction, sources, isTrigger };
    } catch (error) {
      throw locate(error, instruction.source);
    }
  }

  #sources(instruction: Instruction): StageState[] {
    if (instruction.kind === 'copy' && instruction.from !== '')
      return [this.#copySource(instruction.from, instruction)];
    if (instruction.kind !== 'run') return [];
    return instruction.mounts.map((mount) => {
      const from = csvFields(mount)
        .findLast((field) => /^from=/i.test(field))
        ?.slice('from='.length);
      const name = from === undefined || from === '' ? 'scratch' : from;
      return this.#byName.get(name.toLowerCase()) ?? this.#implicit(name, instruction.source);
    });
  }

  #copySource(from: string, { source }: Instruction): StageState {
    const { escape: escapeCharacter } = this.#options;
    if (expandWord(from, { escape: escapeCharacter, lookup: () => undefined }).text !== from) {
      throw new Error(
        'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
      );
    }
    if (!/^[+-]?\d+$/.test(from)) return this.#byName.get(from.toLowerCase()) ?? this.#implicit(from, source);
    const state = this.all[Number(from)];
    if (state === undefined || from.startsWith('-')) throw new Error(`invalid stage index ${Number(from)}`);
    return state;
  }

  /** An image or context that an instruction names. */
  #implicit(name: string, source: SourceRange): StageState {
    const { platform } = this.#options;
    const state = new StageState({ baseName: name, displayName: '', source, platform, isImplicit: true });
    this.#register(state);
    return state;
  }

  /** A stage must not need itself; stages that it builds upon come before it anyway. */
  #refuseCircles(): void {
    const visited = new Set<StageState>();
    const path = new Set<StageState>();
    const visit = (state: StageState, first: StageState): void => {
      visited.add(state);
      path.add(state);
      for (const [dependency, instruction] of state.dependencies) {
        if (path.has(dependency)) {
          throw new BuildError(
            `circular dependency detected on stage: ${first.displayName}`,
            instruction.source,
          );
        }
        if (!visited.has(dependency)) visit(dependency, first);
      }
      path.delete(state);
    };
    for (const state of this.all) if (!visited.has(state)) visit(state, state);
  }
}

/** The stages that one needs, itself included. */
export function stagesNeededBy(target: StageState): Set<StageState> {
  const needed = new Set<StageState>();
  const waiting = [target];
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    if (needed.has(state)) continue;
    needed.add(state);
    if (state.base !== undefined) waiting.push(state.base);
    waiting.push(...state.dependencies.keys());
  }
  return needed;
}

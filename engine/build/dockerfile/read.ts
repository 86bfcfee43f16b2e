// From statements to typed instructions: what each keyword takes, and what it says when it is used wrongly.

import { BuildError } from '../error.ts';
import type { SourceFile, SourceRange } from '../graph.ts';
import type { ArgInstruction, Dockerfile, FromInstruction, Instruction, Stage } from './instruction.ts';
import { READERS } from './readers.ts';
import { withSuggestion } from './suggest.ts';
import { parseSyntax, type Statement, type Syntax } from './syntax.ts';

/** Reads a Dockerfile. Throws a BuildError in BuildKit's words, with its place. */
export function parseDockerfile(file: SourceFile): Dockerfile & { syntax: Syntax } {
  const syntax = parseSyntax(file);
  return { ...readStages(syntax.statements), syntax };
}

/** The stages that statements make. */
export function readStages(statements: readonly Statement[]): Dockerfile {
  const globalArgs: ArgInstruction[] = [];
  const stages: (Stage & { instructions: Instruction[] })[] = [];
  for (const statement of statements) {
    const instruction = readInstruction(statement);
    const stage = stages.at(-1);
    if (instruction.kind === 'from') stages.push({ from: instruction, instructions: [] });
    else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === 'arg') globalArgs.push(instruction);
    else throw new BuildError('no build stage in current context', statement.source);
  }
  return { globalArgs, stages };
}

/** One instruction. Throws a BuildError: "dockerfile parse error on line 3: …". */
export function readInstruction(statement: Statement): Instruction | FromInstruction {
  try {
    return readBare(statement);
  } catch (error) {
    throw parseError(error, statement.source);
  }
}

/** The instruction behind ONBUILD, as it is kept in a base image. */
export function readTrigger(statement: Statement): Instruction {
  try {
    const instruction = readBare(statement);
    if (instruction.kind === 'from') throw new Error("FROM isn't allowed as an ONBUILD trigger");
    return instruction;
  } catch (error) {
    throw new BuildError(error instanceof Error ? error.message : String(error), statement.source);
  }
}

function readBare(statement: Statement): Instruction | FromInstruction {
  const reader = READERS.get(statement.keyword.toLowerCase());
  if (reader === undefined) {
    const names = [...READERS.keys()].map((name) => name.toUpperCase());
    const message = `unknown instruction: ${statement.keyword}`;
    throw new Error(withSuggestion(message, statement.keyword, names, false));
  }
  return reader(statement);
}

function parseError(error: unknown, source: SourceRange): BuildError {
  const message = error instanceof Error ? error.message : String(error);
  return new BuildError(`dockerfile parse error on line ${source.firstLine}: ${message}`, source);
}

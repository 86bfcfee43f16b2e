// The first reading of a Dockerfile: its statements, each with flags, arguments, heredocs and place; no meaning yet.

import type { BuildError } from '../error.ts';
import type { SourceFile, SourceRange } from '../graph.ts';
import { type Arguments, parseArguments, splitStatement } from './arguments.ts';
import type { Directive, EscapeCharacter } from './directives.ts';
import { endsHeredoc, type Heredoc, type HeredocMark, heredocMarks } from './heredoc.ts';
import { LineReader, type LogicalLine } from './lines.ts';

/** Statements of one Dockerfile; far more than anyone writes. */
const STATEMENTS_MAX = 5_000;

/** `KEYWORD --flag arguments`, with what belongs to it. */
export interface Statement extends Arguments {
  /** as written: `Copy` */
  readonly keyword: string;
  readonly flags: readonly string[];
  /** the whole of it on one line, without heredocs' content */
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
  /** of comments right above it */
  readonly comments: readonly string[];
  readonly source: SourceRange;
  /** behind ONBUILD */
  readonly trigger: Statement | undefined;
}

export interface Syntax {
  readonly statements: readonly Statement[];
  readonly directives: readonly Directive[];
  readonly escape: EscapeCharacter;
  /** statements with an empty line within */
  readonly emptyContinuations: readonly { text: string; source: SourceRange }[];
}

/** Reads a Dockerfile's statements. Throws a BuildError, in BuildKit's words, with its place. */
export function parseSyntax(file: SourceFile): Syntax {
  const reader = new LineReader(file);
  const statements: Statement[] = [];
  const emptyContinuations: { text: string; source: SourceRange }[] = [];
  for (let line = reader.nextLogical(); line !== undefined; line = reader.nextLogical()) {
    if (line.hasEmptyContinuation) {
      emptyContinuations.push({ text: line.text, source: reader.range(line.lastLine, line.lastLine) });
    }
    statements.push(readStatement(line, reader));
    if (statements.length > STATEMENTS_MAX) {
      throw reader.errorAt(line.firstLine, line.lastLine, `more than ${STATEMENTS_MAX} instructions`);
    }
  }
  if (statements.length === 0) {
    throw reader.errorAt(reader.position, reader.position, 'file with no instructions');
  }
  return {
    statements,
    directives: reader.directives.directives,
    escape: reader.escape,
    emptyContinuations,
  };
}

function readStatement(line: LogicalLine, reader: LineReader): Statement {
  const fail = (error: unknown): BuildError =>
    reader.errorAt(line.firstLine, reader.position, error instanceof Error ? error.message : String(error));
  let statement: Statement;
  let marks: HeredocMark[];
  try {
    const source = reader.range(line.firstLine, line.lastLine);
    statement = { ...splitOne(line.text, reader.escape, source), comments: line.comments };
    marks = takesHeredocs(statement) && line.text.includes('<<') ? heredocMarks(line.text) : [];
  } catch (error) {
    throw fail(error);
  }
  const heredocs = marks.map((mark) => {
    const content = readHeredoc(mark, reader);
    if (content === undefined) throw fail('unterminated heredoc');
    return { ...mark, content };
  });
  return { ...statement, heredocs, source: reader.range(line.firstLine, reader.position) };
}

function splitOne(line: string, escapeCharacter: EscapeCharacter, source: SourceRange): Statement {
  const { keyword, flags, rest } = splitStatement(line, escapeCharacter);
  const trigger =
    keyword.toLowerCase() === 'onbuild' && rest !== ''
      ? splitTrigger(rest, escapeCharacter, source)
      : undefined;
  return {
    ...parseArguments(keyword, rest, escapeCharacter),
    keyword,
    flags,
    text: line,
    heredocs: [],
    comments: [],
    source,
    trigger,
  };
}

/** One statement behind ONBUILD; another ONBUILD is refused later, so nothing behind that is read. */
function splitTrigger(line: string, escapeCharacter: EscapeCharacter, source: SourceRange): Statement {
  const { keyword, flags, rest } = splitStatement(line, escapeCharacter);
  return {
    ...parseArguments(keyword, rest, escapeCharacter),
    keyword,
    flags,
    text: line,
    heredocs: [],
    comments: [],
    source,
    trigger: undefined,
  };
}

function takesHeredocs(statement: Statement): boolean {
  const inner = statement.trigger ?? statement;
  return /^(add|copy|run)$/i.test(inner.keyword) && !inner.isJson;
}

/** The lines up to the one that ends the heredoc; undefined when none does. */
function readHeredoc(mark: HeredocMark, reader: LineReader): string | undefined {
  let content = '';
  for (let line = reader.nextPhysical(); line !== undefined; line = reader.nextPhysical()) {
    if (endsHeredoc(mark, line)) return content;
    content += line;
  }
  return undefined;
}

/** A statement in a text of its own, as ONBUILD's triggers are kept in an image's configuration. */
export function parseTrigger(text: string): Syntax {
  return parseSyntax({ name: 'ONBUILD', data: Buffer.from(text) });
}

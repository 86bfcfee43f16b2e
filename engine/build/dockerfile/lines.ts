// How the lines of a Dockerfile become statements' texts: comments, continuations, byte order mark, line ends.

import { BuildError } from '../error.ts';
import type { SourceFile, SourceRange } from '../graph.ts';
import { DirectiveReader, type EscapeCharacter, escapeOf } from './directives.ts';
import { trimEnd, trimLeft, trimSpace } from './go-text.ts';

/** UTF-8 bytes of one physical line with its end, as in BuildKit (bufio.MaxScanTokenSize). */
const LINE_MAX = 64 * 1024;

/** One statement's text, its physical lines joined. */
export interface LogicalLine {
  readonly text: string;
  readonly firstLine: number;
  /** the last physical line of the text itself, before heredocs */
  readonly lastLine: number;
  /** the comments above it, without `#`; an empty comment separates */
  readonly comments: readonly string[];
  /** an empty line within: deprecated */
  readonly hasEmptyContinuation: boolean;
}

/** Reads a Dockerfile from its first line to its last. Errors are BuildErrors with the line. */
export class LineReader {
  readonly directives = new DirectiveReader();
  readonly #file: SourceFile;
  /** with their ends */
  readonly #lines: readonly string[];
  #escape: EscapeCharacter = '\\';
  /** how many lines are taken: the number of the line that was taken last */
  #taken = 0;
  #comments: string[] = [];

  constructor(file: SourceFile) {
    this.#file = file;
    const text = file.data.toString('utf8').replace(/^\ufeff/, '');
    this.#lines = text === '' ? [] : (text.match(/[^\n]*\n|[^\n]+$/g) ?? []);
  }

  get escape(): EscapeCharacter {
    return this.#escape;
  }

  /** The number of the line that was read last, from 1; 0 at the start. */
  get position(): number {
    return this.#taken;
  }

  /** The next statement's text; undefined at the end. */
  nextLogical(): LogicalLine | undefined {
    for (let line = this.#takeTrimmed(); line !== undefined; line = this.#takeTrimmed()) {
      const text = trimLeft(line);
      if (this.#readDirective(text)) continue;
      if (text.startsWith('#')) this.#readComment(text);
      else if (text !== '') return this.#join(text);
    }
    return undefined;
  }

  /** The next physical line with its end, as it is: content of a heredoc. */
  nextPhysical(): string | undefined {
    const line = this.#lines[this.#taken];
    if (line === undefined) return undefined;
    this.#taken += 1;
    if (Buffer.byteLength(line) > LINE_MAX) {
      throw this.errorAt(
        this.#taken,
        this.#taken,
        `dockerfile line greater than max allowed size of ${LINE_MAX - 1}`,
      );
    }
    return line;
  }

  errorAt(firstLine: number, lastLine: number, message: string): BuildError {
    return new BuildError(message, this.range(firstLine, lastLine));
  }

  range(firstLine: number, lastLine: number): SourceRange {
    return { file: this.#file, firstLine, lastLine };
  }

  #takeTrimmed(): string | undefined {
    const line = this.nextPhysical();
    return line === undefined ? undefined : trimEnd(line, '\r\n');
  }

  #readDirective(text: string): boolean {
    try {
      const isDirective = this.directives.read(text, this.#taken);
      if (isDirective) this.#escape = escapeOf(this.directives.get('escape'));
      return isDirective;
    } catch (error) {
      throw this.errorAt(this.#taken, this.#taken, error instanceof Error ? error.message : String(error));
    }
  }

  #readComment(text: string): void {
    const comment = trimSpace(text.slice(1));
    if (comment === '') this.#comments = [];
    else this.#comments.push(comment);
  }

  #join(first: string): LogicalLine | undefined {
    const firstLine = this.#taken;
    let { text, isContinued } = this.#withoutContinuation(first);
    let hasEmptyContinuation = false;
    while (isContinued) {
      const line = this.#takeTrimmed();
      if (line === undefined) break;
      const trimmed = trimLeft(line);
      if (trimmed.startsWith('#')) continue;
      if (trimmed === '') {
        hasEmptyContinuation = true;
        continue;
      }
      const next = this.#withoutContinuation(line);
      text += next.text;
      isContinued = next.isContinued;
    }
    const comments = this.#comments;
    this.#comments = [];
    return { text, firstLine, lastLine: this.#taken, comments, hasEmptyContinuation };
  }

  /** An escape character at a line's end continues it, unless another one is before it. */
  #withoutContinuation(line: string): { text: string; isContinued: boolean } {
    const end = trimEnd(line, ' \t');
    const isContinued =
      end.endsWith(this.#escape) && (end.length === 1 || !end.slice(0, -1).endsWith(this.#escape));
    return isContinued ? { text: end.slice(0, -1), isContinued } : { text: line, isContinued };
  }
}

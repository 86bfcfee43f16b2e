// Parser directives: `# syntax=…`, `# escape=…`, `# check=…` before anything else in a Dockerfile.

import { isSpace, trimLeft } from './go-text.ts';

/** The character that continues lines and takes the meaning of the next one. */
export type EscapeCharacter = '\\' | '`';

export interface Directive {
  readonly name: 'syntax' | 'escape' | 'check';
  readonly value: string;
  /** from 1 */
  readonly line: number;
}

const DIRECTIVE = /^([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+)$/;

/** Reads directives line by line, until a line is something else: from there on comments are comments. */
export class DirectiveReader {
  readonly directives: Directive[] = [];
  #isOver = false;

  /** True when the line is a directive. Throws an Error for one that was given twice. */
  read(line: string, number: number): boolean {
    if (this.#isOver) return false;
    const directive = parseDirective(line, number);
    if (directive === undefined) {
      this.#isOver = true;
      return false;
    }
    if (this.get(directive.name) !== undefined) {
      throw new Error(`only one ${directive.name} parser directive can be used`);
    }
    this.directives.push(directive);
    return true;
  }

  get(name: Directive['name']): Directive | undefined {
    return this.directives.find((directive) => directive.name === name);
  }
}

function parseDirective(line: string, number: number): Directive | undefined {
  if (!line.startsWith('#')) return undefined;
  const match = DIRECTIVE.exec(trimLeft(line.slice(1)));
  const name = match?.[1]?.toLowerCase();
  const value = trimRight(match?.[2] ?? '');
  if ((name !== 'syntax' && name !== 'escape' && name !== 'check') || value === '') return undefined;
  return { name, value, line: number };
}

function trimRight(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

/** The escape character that a directive asks for. Throws an Error for any other than backslash and backtick. */
export function escapeOf(directive: Directive | undefined): EscapeCharacter {
  const value = directive?.value ?? '\\';
  if (value !== '\\' && value !== '`') {
    throw new Error(`invalid escape token '${value}' does not match \` or \\`);
  }
  return value;
}

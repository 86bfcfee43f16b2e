// The small shell language of a Dockerfile's words: quotes, escapes, and `$variable` with its modifiers.

import type { EscapeCharacter } from './directives.ts';
import { isSpace, quote } from './go-text.ts';
import { matchEnd, parsePattern, replaceMatches, trimSuffixMatch } from './word-pattern.ts';

/** UTF-16 units of an expanded word; a longer one could not be an argument or a variable of a process on Linux (MAX_ARG_STRLEN). */
export const WORD_MAX = 128 * 1024;
/** `${a:-${b:-…}}` */
const NESTING_MAX = 100;

export interface WordOptions {
  readonly escape: EscapeCharacter;
  /** a variable's value; undefined when it is not set */
  lookup(name: string): string | undefined;
  /** quotes stay in the result */
  readonly keepsQuotes?: boolean;
  /** escape characters stay in the result */
  readonly keepsEscapes?: boolean;
  /** quotes are characters like any other (content of heredocs) */
  readonly ignoresQuotes?: boolean;
  /** references to variables that are not set stay as they are */
  readonly keepsUnset?: boolean;
  /** UTF-16 units that the result may have; WORD_MAX by default */
  readonly limit?: number;
}

export interface Expansion {
  readonly text: string;
  /** names of variables that were looked up and found, or not */
  readonly matched: ReadonlySet<string>;
  readonly unmatched: ReadonlySet<string>;
}

/**
 * Expands variables in a word and takes its quotes and escapes away. Throws an Error for what is not well-formed,
 * for `${name:?message}`, and for results that are too long.
 *
 * @example expandWord('a${x:-b}', { escape: '\\', lookup: () => undefined }).text // 'ab'
 */
export function expandWord(word: string, options: WordOptions): Expansion {
  const { text, expander } = expand(word, options);
  return { text, matched: expander.matched, unmatched: expander.unmatched };
}

/** The words of a text, split at the white space outside of quotes *after* expansion, as a shell does. */
export function expandWords(text: string, options: WordOptions): string[] {
  return expand(text, options).words;
}

function expand(word: string, options: WordOptions): Piece & { expander: Expander } {
  const expander = new Expander(word, options);
  try {
    return { ...expander.readUntil(undefined, options.keepsEscapes ?? false), expander };
  } catch (error) {
    if (!(error instanceof WordError)) throw error;
    throw new Error(`failed to process ${quote(word)}: ${error.message}`);
  }
}

class WordError extends Error {}

interface Piece {
  text: string;
  words: string[];
}

/** Collects characters into words. */
class Words {
  readonly words: string[] = [];
  #current = '';

  /** White space ends a word. */
  addSplitting(text: string): void {
    for (const character of text) {
      if (isSpace(character)) this.end();
      else this.#current += character;
    }
  }

  add(text: string): void {
    this.#current += text;
  }

  end(): void {
    if (this.#current !== '') this.words.push(this.#current);
    this.#current = '';
  }
}

class Expander {
  readonly matched = new Set<string>();
  readonly unmatched = new Set<string>();
  readonly #characters: readonly string[];
  readonly #options: WordOptions;
  readonly #limit: number;
  #position = 0;
  #depth = 0;
  #keepsEscapes: boolean;

  constructor(word: string, options: WordOptions) {
    this.#characters = Array.from(word);
    this.#options = options;
    this.#limit = options.limit ?? WORD_MAX;
    this.#keepsEscapes = options.keepsEscapes ?? false;
  }

  /** Reads to the character `stop` (taken too), or to the end. */
  readUntil(stop: string | undefined, keepsEscapes: boolean): Piece {
    this.#depth += 1;
    if (this.#depth > NESTING_MAX) throw new WordError('substitutions are nested too deeply');
    const before = this.#keepsEscapes;
    this.#keepsEscapes = keepsEscapes;
    const words = new Words();
    let text = '';
    const add = (piece: string, splits: boolean) => {
      text += piece;
      if (text.length > this.#limit)
        throw new WordError(`the result is longer than ${this.#limit} characters`);
      if (splits) words.addSplitting(piece);
      else words.add(piece);
    };
    for (let character = this.#peek(); character !== stop || stop === undefined; character = this.#peek()) {
      if (character === undefined) break;
      if (character === '$') add(this.#readDollar(), true);
      else if (character === "'" && !this.#options.ignoresQuotes) add(this.#readSingleQuotes(), false);
      else if (character === '"' && !this.#options.ignoresQuotes) add(this.#readDoubleQuotes(), false);
      else if (character === '<') add(this.#readHeredocMark(), false);
      else if (character === this.#options.escape) add(this.#readEscape(), false);
      else add(this.#take(), true);
    }
    if (stop !== undefined) {
      if (this.#peek() === undefined) {
        throw new WordError(`unexpected end of statement while looking for matching ${stop}`);
      }
      this.#position += 1;
    }
    words.end();
    this.#keepsEscapes = before;
    this.#depth -= 1;
    return { text, words: words.words };
  }

  #peek(): string | undefined {
    return this.#characters[this.#position];
  }

  #take(): string {
    const character = this.#characters[this.#position] ?? '';
    this.#position += 1;
    return character;
  }

  /** An escape character at the very end means nothing. */
  #readEscape(): string {
    const escapeCharacter = this.#take();
    return (this.#keepsEscapes ? escapeCharacter : '') + this.#take();
  }

  #readSingleQuotes(): string {
    const end = this.#characters.indexOf("'", this.#position + 1);
    if (end < 0) {
      throw new WordError('unexpected end of statement while looking for matching single-quote');
    }
    const keep = this.#options.keepsQuotes === true;
    const text = this.#characters.slice(this.#position + (keep ? 0 : 1), end + (keep ? 1 : 0)).join('');
    this.#position = end + 1;
    return text;
  }

  /** Only `$` and, after the escape character, `"`, `$` and itself mean something in there (POSIX sh, 2.2.3). */
  #readDoubleQuotes(): string {
    const mark = this.#options.keepsQuotes ? '"' : '';
    let text = mark;
    this.#take();
    for (let character = this.#peek(); character !== '"'; character = this.#peek()) {
      if (character === undefined) {
        throw new WordError('unexpected end of statement while looking for matching double-quote');
      }
      if (character === '$') text += this.#readDollar();
      else if (character === this.#options.escape) text += this.#readQuotedEscape();
      else text += this.#take();
      if (text.length > this.#limit)
        throw new WordError(`the result is longer than ${this.#limit} characters`);
    }
    this.#take();
    return text + mark;
  }

  #readQuotedEscape(): string {
    const escapeCharacter = this.#take();
    const next = this.#peek();
    const prefix = this.#keepsEscapes ? escapeCharacter : '';
    if (next === undefined) return prefix;
    return (
      prefix + (next === '"' || next === '$' || next === escapeCharacter ? this.#take() : escapeCharacter)
    );
  }

  /** `<<` with the white space behind it is one thing, so that the word behind stays with it. */
  #readHeredocMark(): string {
    let text = this.#take();
    if (this.#peek() !== '<') return text;
    text += this.#take();
    for (let next = this.#peek(); next === ' ' || next === '\t' || next === '\r'; next = this.#peek()) {
      text += this.#take();
    }
    return text;
  }

  #readDollar(): string {
    this.#take();
    if (this.#peek() === '{') return this.#readBraces();
    const name = this.#readName();
    if (name === '') return '$';
    const value = this.#lookup(name);
    return value === undefined && this.#options.keepsUnset ? `$${name}` : (value ?? '');
  }

  #readBraces(): string {
    this.#take();
    const first = this.#peek();
    if (first === undefined) throw new WordError("syntax error: missing '}'");
    if (first === '{' || first === '}' || first === ':') {
      throw new WordError('syntax error: bad substitution');
    }
    const name = this.#readName();
    const modifier = this.#position < this.#characters.length ? this.#take() : '\ufffd';
    if (modifier === '}') {
      const value = this.#lookup(name);
      return value === undefined && this.#options.keepsUnset ? `\${${name}}` : (value ?? '');
    }
    if (modifier === '/') return this.#readReplacement(name);
    if (modifier === '#' || modifier === '%') return this.#readTrim(name, modifier);
    return this.#readChoice(name, modifier);
  }

  /** A part of `${…}` up to `stop`. */
  #readPart(stop: string, keepsEscapes: boolean, missing: string): string {
    try {
      return this.readUntil(stop, keepsEscapes).text;
    } catch (error) {
      if (error instanceof WordError && this.#peek() === undefined) {
        throw new WordError(`syntax error: ${missing}`);
      }
      throw error;
    }
  }

  /** `-`, `+`, `?`, and with a colon before, which counts an empty value as none. */
  #readChoice(name: string, first: string): string {
    const countsEmpty = first === ':';
    const next = this.#position < this.#characters.length ? this.#peek() : '\ufffd';
    const operator = countsEmpty ? (next ?? '') : first;
    const modifier = countsEmpty ? `:${operator}` : operator;
    if (countsEmpty) this.#take();
    if (operator !== '-' && operator !== '+' && operator !== '?') {
      throw new WordError(`unsupported modifier (${modifier}) in substitution`);
    }
    const word = this.#readPart('}', false, "missing '}'");
    const value = this.#lookup(name);
    if (value === undefined && this.#options.keepsUnset) return `\${${name}${modifier}${word}}`;
    const isMissing = value === undefined || (countsEmpty && value === '');
    if (operator === '+') return isMissing ? '' : word;
    if (!isMissing) return value;
    if (operator === '-') return word;
    const why = value === undefined ? 'is not allowed to be unset' : 'is not allowed to be empty';
    throw new WordError(`${name}: ${word === '' ? why : word}`);
  }

  /** `${x#shortest prefix}`, `##longest`, `%shortest suffix`, `%%longest`. */
  #readTrim(name: string, modifier: '#' | '%'): string {
    const word = this.#readPart('}', true, "missing '}'");
    const value = this.#lookup(name);
    if (value === undefined && this.#options.keepsUnset) return `\${${name}${modifier}${word}}`;
    const isLongest = word.startsWith(modifier);
    const pattern = this.#pattern(isLongest ? word.slice(1) : word);
    const text = value ?? '';
    if (modifier === '%') return trimSuffixMatch(text, pattern, isLongest);
    return text.slice(matchEnd(text, 0, pattern, isLongest) ?? 0);
  }

  /** `${x/pattern/replacement}`, `${x//…}` for all. */
  #readReplacement(name: string): string {
    const replacesAll = this.#peek() === '/';
    if (replacesAll) this.#take();
    const word = this.#readPart('/', true, `missing '/' in \${}`);
    const replacement = this.#readPart('}', true, "missing '}'");
    const value = this.#lookup(name);
    if (value === undefined && this.#options.keepsUnset) return `\${${name}/${word}/${replacement}}`;
    return replaceMatches(value ?? '', this.#pattern(word), replacement, replacesAll, this.#limit);
  }

  #pattern(word: string): ReturnType<typeof parsePattern> {
    try {
      return parsePattern(word);
    } catch (error) {
      throw new WordError(
        `invalid pattern (${word}) in substitution: ${error instanceof Error ? error.message : ''}`,
      );
    }
  }

  /** Letters, digits and `_`; or only digits; or one of the shell's special parameters, which are never set. */
  #readName(): string {
    const first = this.#peek() ?? '';
    if (/^[@*#?\-$!]$/.test(first)) return this.#take();
    const belongs = /^\p{Nd}$/u.test(first) ? /^\p{Nd}$/u : /^[\p{L}\p{Nd}_]$/u;
    let name = '';
    for (let next = this.#peek(); next !== undefined && belongs.test(next); next = this.#peek()) {
      name += this.#take();
    }
    return name;
  }

  #lookup(name: string): string | undefined {
    const value = this.#options.lookup(name);
    (value === undefined ? this.unmatched : this.matched).add(name);
    return value;
  }
}

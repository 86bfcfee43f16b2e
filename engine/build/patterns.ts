// Patterns of file names: Go's filepath.Match, and moby/patternmatcher's on top of it (`**`, `!`), as in .dockerignore and COPY --exclude.

import { posix } from 'node:path';
import { trimSpace } from './dockerfile/go-text.ts';

/** One element of a pattern; a string is that very character. */
type Token =
  | string
  /** `?`: any but a slash */
  | { readonly kind: 'one' }
  /** `*`: any number of any but a slash */
  | { readonly kind: 'star' }
  /** `**` at the end: anything */
  | { readonly kind: 'rest' }
  /** `**` and a slash are these two: nothing, or anything up to a slash */
  | { readonly kind: 'skip' }
  | { readonly kind: 'folders' }
  | {
      readonly kind: 'class';
      readonly isNegated: boolean;
      readonly ranges: readonly (readonly [low: string, high: string])[];
    };

const BAD_PATTERN = 'syntax error in pattern';

/**
 * Go's filepath.Match of a pattern without `**`: a star does not cross slashes. Throws an Error for a malformed pattern.
 *
 * @example matchName('a/*.txt', 'a/b.txt') // true
 */
export function matchName(pattern: string, name: string): boolean {
  return matchTokens(parseTokens(pattern, false), Array.from(name));
}

/** Whether a name has characters that make it a pattern. */
export function hasWildcards(name: string): boolean {
  return /^(?:[^\\*?[]|\\[\s\S])*[*?[]/.test(name);
}

function parseTokens(pattern: string, knowsFolders: boolean): Token[] {
  const characters = Array.from(pattern);
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? '';
    if (character === '*' && knowsFolders && characters[at + 1] === '*') {
      at += characters[at + 2] === '/' ? 2 : 1;
      if (at >= characters.length - 1) tokens.push({ kind: 'rest' });
      else tokens.push({ kind: 'skip' }, { kind: 'folders' });
    } else if (character === '*') {
      const before = tokens.at(-1);
      if (typeof before !== 'object' || before.kind !== 'star') tokens.push({ kind: 'star' });
    } else if (character === '?') {
      tokens.push({ kind: 'one' });
    } else if (character === '[') {
      at = parseClass(characters, at, tokens);
    } else if (character === '\\') {
      at += 1;
      const escaped = characters[at];
      if (escaped === undefined) throw new Error(BAD_PATTERN);
      tokens.push(escaped);
    } else {
      tokens.push(character);
    }
  }
  return tokens;
}

/** Reads `[a-z]` or `[^a]` that begins at `start`; where its bracket closes. */
function parseClass(characters: readonly string[], start: number, tokens: Token[]): number {
  let at = start + 1;
  const isNegated = characters[at] === '^';
  if (isNegated) at += 1;
  const ranges: [string, string][] = [];
  const next = (): string => {
    let character = characters[at];
    if (character === undefined || character === '-' || character === ']') throw new Error(BAD_PATTERN);
    if (character === '\\') {
      at += 1;
      character = characters[at];
      if (character === undefined) throw new Error(BAD_PATTERN);
    }
    at += 1;
    return character;
  };
  while (characters[at] !== ']' || ranges.length === 0) {
    const low = next();
    let high = low;
    if (characters[at] === '-') {
      at += 1;
      high = next();
    }
    ranges.push([low, high]);
  }
  tokens.push({ kind: 'class', isNegated, ranges });
  return at;
}

/** Follows all ways through the pattern at once: the time is the product of the lengths, whatever the pattern. */
function matchTokens(tokens: readonly Token[], name: readonly string[]): boolean {
  let states = new Uint8Array(tokens.length + 1);
  states[0] = 1;
  passEmpty(tokens, states);
  for (const character of name) {
    const next = new Uint8Array(tokens.length + 1);
    for (const [at, token] of tokens.entries()) {
      if (states[at] === 1) take(token, character, at, next);
    }
    states = next;
    passEmpty(tokens, states);
    if (!states.includes(1)) return false;
  }
  return states[tokens.length] === 1;
}

/** Goes on over tokens that may match nothing. */
function passEmpty(tokens: readonly Token[], states: Uint8Array): void {
  for (const [at, token] of tokens.entries()) {
    if (states[at] !== 1 || typeof token === 'string') continue;
    if (token.kind === 'star' || token.kind === 'rest') states[at + 1] = 1;
    if (token.kind === 'skip') states[at + 1] = states[at + 2] = 1;
  }
}

function take(token: Token, character: string, at: number, next: Uint8Array): void {
  if (typeof token === 'string') {
    if (token === character) next[at + 1] = 1;
    return;
  }
  const isSlash = character === '/';
  if (token.kind === 'rest' || token.kind === 'folders' || (token.kind === 'star' && !isSlash)) next[at] = 1;
  const goesOn =
    (token.kind === 'folders' && isSlash) ||
    (token.kind === 'one' && !isSlash) ||
    (token.kind === 'class' && isInClass(token, character));
  if (goesOn) next[at + 1] = 1;
}

function isInClass(token: Extract<Token, { kind: 'class' }>, character: string): boolean {
  const isIn = token.ranges.some(([low, high]) => low <= character && character <= high);
  return isIn !== token.isNegated;
}

interface Pattern {
  readonly text: string;
  /** `!`: what matches is taken out of what matched before */
  readonly isException: boolean;
  matches(path: string): boolean;
}

/** A list of patterns in the order in which they are written: the last one that matches decides. */
export class PatternList {
  readonly #patterns: readonly Pattern[];

  /** Throws an Error for a malformed pattern. */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns
      .map(trimSpace)
      .filter((pattern) => pattern !== '')
      .map(parsePattern);
  }

  get hasExceptions(): boolean {
    return this.#patterns.some((pattern) => pattern.isException);
  }

  /** the patterns without `!` before them */
  get texts(): string[] {
    return this.#patterns.filter((pattern) => !pattern.isException).map((pattern) => pattern.text);
  }

  /** Whether the list selects a path, relative and with `/`, itself or through a folder that it is in. */
  matches(path: string): boolean {
    const above = parentsOf(path);
    let isMatched = false;
    for (const pattern of this.#patterns) {
      if (pattern.isException !== isMatched) continue;
      if (pattern.matches(path) || above.some((parent) => pattern.matches(parent))) {
        isMatched = !pattern.isException;
      }
    }
    return isMatched;
  }
}

/** `a/b/c` is in `a` and `a/b`. */
function parentsOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

function parsePattern(written: string): Pattern {
  const clean = cleanPath(written);
  const isException = clean.startsWith('!');
  const text = isException ? clean.slice(1) : clean;
  if (text === '') throw new Error('illegal exclusion pattern: "!"');
  const tokens = parseTokens(text, true);
  if (tokens.every((token) => typeof token === 'string')) {
    const plain = tokens.join('');
    return { text, isException, matches: (path) => path === plain };
  }
  // moby takes `**name` for any name that ends so, while `**` elsewhere matches whole folders.
  const suffix = /^\*\*([^/*?[\]\\][^*?[\]\\]*)$/.exec(text)?.[1];
  if (suffix !== undefined) return { text, isException, matches: (path) => path.endsWith(suffix) };
  return { text, isException, matches: (path) => matchTokens(tokens, Array.from(path)) };
}

/** Go's filepath.Clean. */
export function cleanPath(path: string): string {
  const clean = posix.normalize(path);
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean;
}

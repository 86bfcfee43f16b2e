// How a statement's text is split: keyword, flags, and arguments in the grammar of its keyword.

import type { EscapeCharacter } from './directives.ts';
import { isSpace, quote, trimSpace } from './go-text.ts';

/** `KEY=value`, or `KEY value` in the legacy form. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly isLegacy: boolean;
}

/** What stands behind a keyword and its flags. */
export interface Arguments {
  readonly args: readonly string[];
  /** ENV and LABEL */
  readonly pairs: readonly KeyValue[];
  /** given as a JSON array */
  readonly isJson: boolean;
}

type Grammar = (text: string, escapeCharacter: EscapeCharacter) => Arguments;

const WHITESPACE = /[\t\v\f\r ]+/;
const NONE: Arguments = { args: [], pairs: [], isJson: false };

/** The grammar of each keyword, in lower case. ONBUILD has a statement of its own behind it (syntax.ts). */
export const GRAMMARS: ReadonlyMap<string, Grammar> = new Map<string, Grammar>([
  ['add', jsonOrWords],
  ['arg', (text, escapeCharacter) => ({ ...NONE, args: splitWords(text, escapeCharacter) })],
  ['cmd', jsonOrText],
  ['copy', jsonOrWords],
  ['entrypoint', jsonOrText],
  ['env', (text, escapeCharacter) => keyValues(text, 'ENV', escapeCharacter)],
  ['expose', blankSeparated],
  ['from', blankSeparated],
  ['healthcheck', healthcheck],
  ['label', (text, escapeCharacter) => keyValues(text, 'LABEL', escapeCharacter)],
  ['maintainer', wholeText],
  ['onbuild', wholeText],
  ['run', jsonOrText],
  ['shell', jsonOrText],
  ['stopsignal', wholeText],
  ['user', wholeText],
  ['volume', jsonOrWords],
  ['workdir', wholeText],
]);

/** Arguments in the grammar of the keyword; none for an unknown keyword. Throws an Error in BuildKit's words. */
export function parseArguments(keyword: string, text: string, escapeCharacter: EscapeCharacter): Arguments {
  return GRAMMARS.get(keyword.toLowerCase())?.(text, escapeCharacter) ?? NONE;
}

function wholeText(text: string): Arguments {
  return text === '' ? NONE : { ...NONE, args: [text] };
}

function blankSeparated(text: string): Arguments {
  return text === '' ? NONE : { ...NONE, args: text.split(WHITESPACE) };
}

/** What looks like JSON and is none is a shell's text; an array of anything but strings is an error. */
function jsonArray(text: string): Arguments | undefined {
  if (!text.startsWith('[')) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed)) return undefined;
  const args: string[] = [];
  for (const item of parsed) {
    if (typeof item !== 'string') {
      throw new Error('when using JSON array syntax, arrays must be comprised of strings only');
    }
    args.push(item);
  }
  return { ...NONE, args, isJson: true };
}

function jsonOrText(text: string): Arguments {
  return jsonArray(text) ?? wholeText(text);
}

function jsonOrWords(text: string): Arguments {
  return jsonArray(text) ?? blankSeparated(text);
}

/** `CMD` or `NONE`, then a command. */
function healthcheck(text: string): Arguments {
  const match = /^(\S+)\s*([\s\S]*)$/.exec(text);
  if (match === null) return NONE;
  const command = jsonOrText(match[2] ?? '');
  return { ...command, args: [match[1] ?? '', ...command.args] };
}

function keyValues(text: string, keyword: string, escapeCharacter: EscapeCharacter): Arguments {
  const words = splitWords(text, escapeCharacter);
  const [first] = words;
  if (first === undefined) return NONE;
  if (!first.includes('=')) return { ...NONE, pairs: [legacyKeyValue(text, keyword)] };
  const pairs = words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) {
      throw new Error(`Syntax error - can't find = in ${quote(word)}. Must be of the form: name=value`);
    }
    return { key: word.slice(0, equals), value: word.slice(equals + 1), isLegacy: false };
  });
  return { ...NONE, pairs };
}

function legacyKeyValue(text: string, keyword: string): KeyValue {
  const space = WHITESPACE.exec(text);
  if (space === null) throw new Error(`${keyword} must have two arguments`);
  const value = text.slice(space.index + space[0].length);
  return { key: text.slice(0, space.index), value, isLegacy: true };
}

/** Words as a shell sees them, with quotes and escapes left in. */
export function splitWords(text: string, escapeCharacter: EscapeCharacter): string[] {
  const words: string[] = [];
  let word = '';
  let isWord = false;
  let quoted = '';
  const characters = Array.from(text);
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index] ?? '';
    if (quoted === '' && isSpace(character)) {
      if (isWord) words.push(word);
      [word, isWord] = ['', false];
    } else if (character === escapeCharacter && quoted !== "'") {
      const next = characters[index + 1];
      if (next === undefined) break; // an escape character at the very end means nothing
      word += character + next;
      isWord = true;
      index += 1;
    } else {
      if (quoted === character) quoted = '';
      else if (quoted === '' && (character === "'" || character === '"')) quoted = character;
      word += character;
      isWord = true;
    }
  }
  if (isWord) words.push(word);
  return words;
}

/** A statement's text, taken apart: `COPY --chown=1:1 a b` → keyword COPY, one flag, rest `a b`. */
export function splitStatement(
  line: string,
  escapeCharacter: EscapeCharacter,
): { keyword: string; flags: string[]; rest: string } {
  const text = trimSpace(line);
  const space = WHITESPACE.exec(text);
  if (space === null) return { keyword: text, flags: [], rest: '' };
  const { flags, rest } = takeFlags(text.slice(space.index + space[0].length), escapeCharacter);
  return { keyword: text.slice(0, space.index), flags, rest: trimSpace(rest) };
}

/** Words that begin with `--` come first; `--` alone ends them. Quotes and escapes are taken away. */
function takeFlags(text: string, escapeCharacter: EscapeCharacter): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (at < text.length && isSpace(text.charAt(at))) at += 1;
    if (!text.startsWith('--', at)) return { flags, rest: text.slice(at) };
    const word = takeFlag(text, at, escapeCharacter);
    at = word.end;
    if (word.text === '--') return { flags, rest: text.slice(at) };
    flags.push(word.text);
  }
}

function takeFlag(
  text: string,
  start: number,
  escapeCharacter: EscapeCharacter,
): { text: string; end: number } {
  let flag = '';
  let quoted = '';
  let at = start;
  for (; at < text.length; at += 1) {
    let character = text.charAt(at);
    if (quoted === '' && isSpace(character)) break;
    if (quoted === character) {
      quoted = '';
      continue;
    }
    if (quoted === '' && (character === "'" || character === '"')) {
      quoted = character;
      continue;
    }
    if (character === escapeCharacter) {
      at += 1;
      character = text.charAt(at);
    }
    flag += character;
  }
  return { text: flag, end: Math.min(at, text.length) };
}

// The info string of a code fence: `[language] [directive] [key=value …]`.

import { didYouMean, editDistance } from './suggest.ts';

/** What a fence is for, and the language that its content has when the author names none. */
export const DIRECTIVES: Readonly<Record<Directive, string>> = {
  run: 'sh',
  solution: 'sh',
  check: 'yaml',
  wrong: 'yaml',
  file: 'text',
};
export type Directive = 'run' | 'solution' | 'check' | 'wrong' | 'file';

/** A fence's info string, taken apart. */
export interface FenceInfo {
  language: string;
  directive?: Directive;
  attributes: Readonly<Record<string, string>>;
}

const KNOWN: readonly Directive[] = ['run', 'solution', 'check', 'wrong', 'file'];
const ATTRIBUTES: Readonly<Partial<Record<Directive, readonly string[]>>> = {
  run: ['on'],
  solution: ['on'],
  check: ['on'],
  file: ['path', 'mode', 'on'],
};
const LANGUAGES: Readonly<Partial<Record<Directive, readonly string[]>>> = {
  run: ['sh', 'bash', 'shell', 'console'],
  solution: ['sh', 'bash', 'shell', 'console'],
  check: ['yaml', 'yml'],
  wrong: ['yaml', 'yml'],
};

/** Takes an info string apart, or says what is wrong with it. */
export function parseFenceInfo(info: string): FenceInfo | { problem: string } {
  const words = info.trim().split(/\s+/).filter(Boolean);
  const first = words.shift() ?? '';
  const isBareDirective = isDirective(first);
  const word = isBareDirective ? first : words[0] && !words[0].includes('=') ? words.shift() : undefined;
  if (word === undefined) return withoutDirective(first, words);
  if (!isDirective(word)) return { problem: `unknown directive "${word}"${didYouMean(word, KNOWN)}` };
  const language = isBareDirective ? DIRECTIVES[word] : first;
  const languages = LANGUAGES[word];
  if (languages && !languages.includes(language)) {
    return { problem: `a ${word} fence is written as "${languages[0]} ${word}", not "${language} ${word}"` };
  }
  const attributes = parseAttributes(word, words);
  return 'problem' in attributes ? attributes : { language, directive: word, attributes: attributes.values };
}

function withoutDirective(language: string, words: readonly string[]): FenceInfo | { problem: string } {
  const meant = KNOWN.find((directive) => directive.length > 3 && editDistance(directive, language) === 1);
  if (meant) return { problem: `unknown directive "${language}", did you mean "${meant}"?` };
  if (words.length > 0) return { problem: `"${words.join(' ')}" belongs to no directive` };
  return { language, attributes: {} };
}

function parseAttributes(
  directive: Directive,
  words: readonly string[],
): { values: Record<string, string> } | { problem: string } {
  const known = ATTRIBUTES[directive] ?? [];
  const values: Record<string, string> = {};
  for (const word of words) {
    const [, key, value] = /^([a-z]+)=(.+)$/.exec(word) ?? [];
    if (!key || !value) return { problem: `"${word}" after ${directive} is not key=value` };
    if (!known.includes(key)) {
      const knownText = known.length > 0 ? didYouMean(key, known) : `; ${directive} takes none`;
      return { problem: `unknown attribute "${key}"${knownText}` };
    }
    values[key] = value;
  }
  return { values };
}

function isDirective(word: string): word is Directive {
  return KNOWN.some((directive) => directive === word);
}

// Heredocs: `RUN <<EOF`, `COPY <<-"a.txt" <<b.txt /dir/`.

import { trimEnd } from './go-text.ts';
import { expandWords } from './word.ts';

/** The word behind `<<`. */
export interface HeredocMark {
  readonly name: string;
  /** file descriptor before `<<`; 0 when none is given */
  readonly descriptor: number;
  /** no part of the word is quoted: variables in the content are expanded (COPY, ADD) */
  readonly expands: boolean;
  /** `<<-`: tabs at the start of lines go away */
  readonly strips: boolean;
}

export interface Heredoc extends HeredocMark {
  /** lines with their ends, as they are in the file */
  readonly content: string;
}

const MARK = /^(\d*)<<(-?)([^<]*)$/;

/** Reads a word as the beginning of a heredoc; undefined for other words. Throws an Error for quotes that do not end. */
export function parseHeredocMark(word: string): HeredocMark | undefined {
  const match = MARK.exec(word);
  const rest = (match?.[3] ?? '').replace(/^[\t\n\f\r ]+/, '');
  if (rest === '') return undefined;
  const options = { escape: '\\', lookup: () => undefined, keepsUnset: true } as const;
  const words = expandWords(rest, options);
  const [name] = words;
  if (name === undefined || words.length !== 1) return undefined;
  const raw = expandWords(rest, { ...options, keepsQuotes: true }).join('');
  return {
    name,
    descriptor: Number(match?.[1] || 0),
    expands: countQuotes(name) === countQuotes(raw),
    strips: match?.[2] === '-',
  };
}

function countQuotes(text: string): number {
  return text.replace(/[^'"]/g, '').length;
}

/** The heredocs that a statement's text announces, in order. */
export function heredocMarks(text: string): HeredocMark[] {
  let words: string[];
  try {
    words = expandWords(text, {
      escape: '\\',
      lookup: () => undefined,
      keepsQuotes: true,
      keepsEscapes: true,
      keepsUnset: true,
      limit: Number.POSITIVE_INFINITY,
    });
  } catch {
    return []; // a shell command that is not a well-formed word list has no heredoc for the build
  }
  return words.flatMap((word) => parseHeredocMark(word) ?? []);
}

/** Whether a physical line ends the heredoc. */
export function endsHeredoc(mark: HeredocMark, line: string): boolean {
  const bare = trimEnd(line, '\r\n');
  return (mark.strips ? bare.replace(/^\t+/, '') : bare) === mark.name;
}

/** The content as it is to be used: without the tabs at the start of lines for `<<-`. */
export function heredocContent(heredoc: Heredoc): string {
  return heredoc.strips ? heredoc.content.replace(/^\t+/gm, '') : heredoc.content;
}

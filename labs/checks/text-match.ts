// What a check can ask of a text: a page's body, a file, a program's output.

import { z } from 'zod';
import { matchesPattern, patternProblem } from './pattern.ts';
import { oneOrMore, strictMap, text } from './schema.ts';

const pattern = text.superRefine((value, context) => {
  const problem = value.length > 500 ? 'the pattern is longer than 500 characters' : patternProblem(value);
  if (problem) context.addIssue({ code: 'custom', message: problem });
});

/** Text (which must be contained), or a map of `contains`, `lacks`, `equals`, `matches`. */
export const textMatch = z.preprocess(
  (value) =>
    value !== null && typeof value === 'object' && !Array.isArray(value) ? value : { contains: value },
  strictMap({
    contains: oneOrMore(text).optional(),
    lacks: oneOrMore(text).optional(),
    /** but for white space at the end */
    equals: text.optional(),
    matches: pattern.optional(),
  }).refine((value) => Object.values(value).some((part) => part !== undefined), 'must not be empty'),
);
export type TextMatch = z.output<typeof textMatch>;

/** Whether the text is as wanted. */
export function isTextAsWanted(match: TextMatch, subject: string): boolean {
  return (
    (match.contains ?? []).every((part) => subject.includes(part)) &&
    !(match.lacks ?? []).some((part) => subject.includes(part)) &&
    (match.equals === undefined || subject.trimEnd() === match.equals.trimEnd()) &&
    (match.matches === undefined || matchesPattern(match.matches, subject))
  );
}

/** `contains "a" and matches /b/`. */
export function describeTextMatch(match: TextMatch): string {
  const parts = [
    ...(match.contains ?? []).map((part) => `contains ${quote(part)}`),
    ...(match.lacks ?? []).map((part) => `does not contain ${quote(part)}`),
    ...(match.equals === undefined ? [] : [`is ${quote(match.equals)}`]),
    ...(match.matches === undefined ? [] : [`matches /${match.matches}/`]),
  ];
  return parts.join(' and ');
}

/** The text in quotes, on one line, shortened. */
export function quote(value: string): string {
  return `"${excerpt(value)}"`;
}

/** The text on one line without control characters, at most `length` characters of it. */
export function excerpt(value: string, length = 200): string {
  const flat = value.trim().replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ');
  return flat.length > length ? `${flat.slice(0, length)}…` : flat;
}

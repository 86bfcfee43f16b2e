// The YAML of `check` and `wrong` fences, turned into checks and known-wrong answers.

import { z } from 'zod';
import type { Check } from '../checks/check.ts';
import { CHECK_KINDS } from '../checks/registry.ts';
import { name, strictMap } from '../checks/schema.ts';
import type { WrongAnswer } from '../lab.ts';
import type { MarkdownProblem } from './markdown.ts';
import { didYouMean } from './suggest.ts';
import { describeIssues, parseYaml, type YamlBlock } from './yaml.ts';

const AroundCheck = z.object({
  title: name.refine((value) => value.length <= 200, 'must be at most 200 characters').optional(),
  hint: name.refine((value) => value.length <= 1000, 'must be at most 1000 characters').optional(),
  on: name.optional(),
});
const AROUND = ['title', 'hint', 'on'];
const Wrong = strictMap({ run: name, expect: name, on: name.optional() });

/** The checks of a fence: one map, or a list of them. */
export function parseChecks(
  text: string,
  firstLine: number,
  on?: string,
): { checks: Check[]; problems: MarkdownProblem[] } {
  const block = parseYaml(text, firstLine);
  if ('problems' in block) return { checks: [], problems: block.problems.map(prefixed('check')) };
  const checks: Check[] = [];
  const problems: MarkdownProblem[] = [];
  for (const { item, path } of itemsOf(block)) {
    const result = parseCheck(item, path, block, on);
    if ('check' in result) checks.push(result.check);
    else problems.push(...result.problems);
  }
  if (checks.length + problems.length === 0)
    problems.push({ line: firstLine, message: 'check: the fence is empty' });
  return { checks, problems };
}

/** The known-wrong answers of a fence: one map, or a list of them. */
export function parseWrongAnswers(
  text: string,
  firstLine: number,
): { wrongAnswers: WrongAnswer[]; problems: MarkdownProblem[] } {
  const block = parseYaml(text, firstLine);
  if ('problems' in block) return { wrongAnswers: [], problems: block.problems.map(prefixed('wrong')) };
  const wrongAnswers: WrongAnswer[] = [];
  const problems: MarkdownProblem[] = [];
  for (const { item, path } of itemsOf(block)) {
    const result = Wrong.safeParse(item);
    if (result.success) {
      const { on, ...answer } = result.data;
      wrongAnswers.push({ ...answer, ...(on === undefined ? {} : { on }), line: block.lineOf(path) });
    } else problems.push(...describeIssues(result.error.issues, block, path).map(prefixed('wrong')));
  }
  return { wrongAnswers, problems };
}

function itemsOf(block: YamlBlock): { item: unknown; path: PropertyKey[] }[] {
  const { value } = block;
  if (value === null) return [];
  return Array.isArray(value)
    ? value.map((item: unknown, index) => ({ item, path: [index] }))
    : [{ item: value, path: [] }];
}

function parseCheck(
  item: unknown,
  path: PropertyKey[],
  block: YamlBlock,
  fenceHost: string | undefined,
): { check: Check } | { problems: MarkdownProblem[] } {
  const kinds = [...CHECK_KINDS.keys()];
  const problem = (message: string, at: PropertyKey[] = path) => ({
    problems: [{ line: block.lineOf(at), message: `check${message}` }],
  });
  if (item === null || typeof item !== 'object' || Array.isArray(item)) {
    return problem(`: must be a map with one of ${kinds.join(', ')}`);
  }
  const keys = Object.keys(item).filter((key) => !AROUND.includes(key));
  const [key] = keys;
  const unknown = keys.find((each) => !CHECK_KINDS.has(each));
  if (unknown !== undefined) {
    const known = key !== undefined && CHECK_KINDS.has(key) ? AROUND : [...kinds, ...AROUND];
    return problem(`: unknown key "${unknown}"${didYouMean(unknown, known)}`, [...path, unknown]);
  }
  const kind = key === undefined ? undefined : CHECK_KINDS.get(key);
  if (key === undefined || !kind) return problem(`: must have one of ${kinds.join(', ')}`);
  if (keys.length > 1) return problem(`: ${keys.join(' and ')} are checks of their own; begin each with "-"`);
  const around = AroundCheck.safeParse(item);
  if (!around.success) {
    return { problems: describeIssues(around.error.issues, block, path).map(prefixed(`check ${key}`)) };
  }
  const bound = kind.bind(Object.getOwnPropertyDescriptor(item, key)?.value);
  if ('issues' in bound) {
    return { problems: describeIssues(bound.issues, block, [...path, key]).map(prefixed(`check ${key}`)) };
  }
  const { title, hint, on = fenceHost } = around.data;
  if (kind.needsTitle && title === undefined)
    return problem(` ${key}: title is missing: say what it looks for`);
  const { check } = bound;
  return {
    check: {
      kind: key,
      title: title ?? check.title,
      ...(hint === undefined ? {} : { hint }),
      line: block.lineOf(path),
      ...(on === undefined ? {} : { on }),
      interests: check.interests,
      evaluate: (look) => check.evaluate(look),
    },
  };
}

function prefixed(prefix: string): (problem: MarkdownProblem) => MarkdownProblem {
  return ({ line, message }) => ({ line, message: `${prefix}: ${message}` });
}

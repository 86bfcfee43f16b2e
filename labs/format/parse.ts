// Reads a lab.md: front matter, introduction, steps, and every problem that its author must mend.

import type { Token } from 'markdown-it';
import type { z } from 'zod';
import { DEFAULT_HOST } from '../hosts.ts';
import { LAB_LIMITS, type Lab, type Problem, type Step } from '../lab.ts';
import { FrontMatter, splitFrontMatter } from './front-matter.ts';
import { type LabEnv, type MarkdownProblem, markdown } from './markdown.ts';
import { StepReader } from './step.ts';
import { describeIssues, parseYaml } from './yaml.ts';

/**
 * Parses the text of a lab.md. There is a lab only when there are no problems.
 *
 * @example
 * const { lab, problems } = parseLab(await readFile(file, 'utf8'), file);
 * for (const problem of problems) console.error(formatProblem(problem));
 */
export function parseLab(text: string, fileName: string): { lab: Lab | undefined; problems: Problem[] } {
  const { lab, problems } = parse(text);
  const sorted = problems.sort((a, b) => a.line - b.line).slice(0, LAB_LIMITS.problems);
  return {
    lab: sorted.length === 0 ? lab : undefined,
    problems: sorted.map(({ line, message }) => ({ file: fileName, line, message })),
  };
}

function parse(text: string): { lab: Lab | undefined; problems: MarkdownProblem[] } {
  if (Buffer.byteLength(text) > LAB_LIMITS.fileSize) {
    return {
      lab: undefined,
      problems: [{ line: 1, message: `the file is larger than ${LAB_LIMITS.fileSize / 1024} KiB` }],
    };
  }
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
  const front = splitFrontMatter(lines);
  if (!front) {
    return {
      lab: undefined,
      problems: [{ line: 1, message: 'a lab begins with front matter between two lines of ---' }],
    };
  }
  const { values, problems } = parseFrontMatter(front.yaml);
  // blank lines in its place keep the line numbers of what follows
  const body = [...Array.from({ length: front.lineCount }, () => ''), ...lines.slice(front.lineCount)].join(
    '\n',
  );
  const env: LabEnv = { problems: [] };
  const tokens = markdown.parse(body, env);
  const { introduction, steps, problems: stepProblems } = readSteps(tokens, values?.hosts ?? [DEFAULT_HOST]);
  problems.push(...env.problems, ...stepProblems);
  return { lab: values && { ...values, introduction, steps }, problems };
}

function parseFrontMatter(yaml: string): {
  values: z.output<typeof FrontMatter> | undefined;
  problems: MarkdownProblem[];
} {
  const block = parseYaml(yaml, 2);
  if ('problems' in block) return { values: undefined, problems: block.problems };
  const result = FrontMatter.safeParse(block.value);
  if (result.success) return { values: result.data, problems: [] };
  return { values: undefined, problems: describeIssues(result.error.issues, block) };
}

function readSteps(tokens: readonly Token[], hosts: readonly string[]) {
  const problems: MarkdownProblem[] = [];
  const steps: Step[] = [];
  const starts = tokens.flatMap((token, index) => (isHeading(token, 'h2') ? [index] : []));
  const introduction = tokens.slice(0, starts[0] ?? tokens.length);
  if (starts.length === 0)
    problems.push({ line: 1, message: 'a lab has at least one step: a heading with ##' });
  if (starts.length > LAB_LIMITS.steps) {
    problems.push({
      line: 1,
      message: `a lab has at most ${LAB_LIMITS.steps} steps, this one has ${starts.length}`,
    });
  }
  for (const token of tokens) {
    if (isHeading(token, 'h1')) {
      problems.push({
        line: lineOf(token),
        message: 'the title is in the front matter; use ## for steps and ### within them',
      });
    }
  }
  new StepReader(problems, hosts).readIntroduction(introduction);
  const seen = new Map<string, number>();
  starts.slice(0, LAB_LIMITS.steps).forEach((start, index) => {
    const step = new StepReader(problems, hosts).read(
      tokens.slice(start, starts[index + 1] ?? tokens.length),
    );
    const earlier = seen.get(step.id);
    if (earlier !== undefined) {
      const message = `the step at line ${earlier} has the id "${step.id}" already; write {#another-id} behind this heading`;
      problems.push({ line: step.line, message });
    }
    seen.set(step.id, step.line);
    steps.push(step);
  });
  return { introduction, steps, problems };
}

function isHeading(token: Token, tag: string): boolean {
  return token.type === 'heading_open' && token.tag === tag && token.level === 0;
}

function lineOf(token: Token): number {
  return (token.map?.[0] ?? 0) + 1;
}

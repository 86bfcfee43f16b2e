// The front matter of a lab.md: what the lab is called, how long it takes, what it needs.

import { z } from 'zod';
import { name, oneOrMore, strictMap, text } from '../checks/schema.ts';

const port = z.preprocess(
  (value) => (typeof value === 'number' ? { port: value } : value),
  strictMap({
    port: z
      .number('must be a number')
      .int('must be a whole number')
      .min(1, 'must be 1 to 65535')
      .max(65535, 'must be 1 to 65535'),
    title: name.optional(),
  }).transform(({ port, title }) => ({ port, title: title ?? `Port ${port}` })),
);

/** What stands between the two `---` lines. */
export const FrontMatter = strictMap({
  /** version of the format */
  format: z.literal(1, 'must be 1, the only version of the format there is'),
  title: name.refine((value) => value.length <= 120, 'must be at most 120 characters'),
  summary: name.refine((value) => value.length <= 500, 'must be at most 500 characters'),
  minutes: z
    .number('must be a number')
    .int('must be a whole number')
    .min(1, 'must be 1 to 600')
    .max(600, 'must be 1 to 600'),
  difficulty: z
    .enum(['beginner', 'intermediate', 'advanced'], 'must be beginner, intermediate or advanced')
    .default('beginner'),
  images: oneOrMore(
    text.refine((value) => /^[\w][\w./:@-]{0,254}$/.test(value), 'is not an image reference'),
  ).default([]),
  ports: oneOrMore(port).default([]),
});

/** The text between the `---` lines, and the lines it takes up in the file; undefined when there is none. */
export function splitFrontMatter(lines: readonly string[]): { yaml: string; lineCount: number } | undefined {
  if (lines[0]?.trimEnd() !== '---') return undefined;
  const end = lines.findIndex((line, index) => index > 0 && line.trimEnd() === '---');
  if (end === -1) return undefined;
  return { yaml: lines.slice(1, end).join('\n'), lineCount: end + 1 };
}

// The front matter of a lab.md: what the lab is called, how long it takes, what it needs.

import { z } from 'zod';
import { name, oneOrMore, strictMap, text } from '../checks/schema.ts';
import { DEFAULT_HOST } from '../hosts.ts';
import { LAB_LIMITS } from '../lab.ts';

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

const hostname = text.refine(
  (value) => /^[a-z][a-z0-9]{0,15}$/.test(value),
  'must be a hostname of a-z 0-9, at most 16 characters',
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
  hosts: oneOrMore(hostname)
    .refine((hosts) => hosts.length <= LAB_LIMITS.hosts, `must be at most ${LAB_LIMITS.hosts}`)
    .refine((hosts) => new Set(hosts).size === hosts.length, 'names a host twice')
    .default([DEFAULT_HOST]),
  internet: z.boolean('must be true or false').default(false),
});

/** The text between the `---` lines, and the lines it takes up in the file; undefined when there is none. */
export function splitFrontMatter(lines: readonly string[]): { yaml: string; lineCount: number } | undefined {
  if (lines[0]?.trimEnd() !== '---') return undefined;
  const end = lines.findIndex((line, index) => index > 0 && line.trimEnd() === '---');
  if (end === -1) return undefined;
  return { yaml: lines.slice(1, end).join('\n'), lineCount: end + 1 };
}

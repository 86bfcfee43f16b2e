// What lines of a log carry beside the output: labels and variables that the log options choose, and a tag.

import type { ContainerRecord } from '../container/record.ts';
import { InvalidParameter } from '../errors.ts';
import { safePattern } from '../safe-pattern.ts';
import { renderTag } from './tag.ts';

/** Every line carries them. */
const MAX_ATTRS = 16 * 1024;

/** The JSON object of a container's attributes; undefined when the options ask for none. Throws InvalidParameter. */
export function logAttributes(record: ContainerRecord): string | undefined {
  const { labels, env, tag, ...options } = record.hostConfig.LogConfig.Config;
  const attrs = new Map<string, string>();
  const variables = variablesOf(record);
  const byName = new Map(Object.entries(record.config.Labels));
  choose(attrs, byName, labels, options['labels-regex']);
  choose(attrs, variables, env, options['env-regex']);
  const rendered = tag ? renderTag(tag, record) : '';
  if (rendered !== '') attrs.set('tag', rendered);
  if (attrs.size === 0) return undefined;
  const sorted = [...attrs].sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify(Object.fromEntries(sorted));
  if (Buffer.byteLength(text) > MAX_ATTRS) {
    throw new InvalidParameter(`labels, variables and tag of a log line can be ${MAX_ATTRS} bytes at most`);
  }
  return text;
}

function choose(
  attrs: Map<string, string>,
  values: ReadonlyMap<string, string>,
  names: string | undefined,
  pattern: string | undefined,
): void {
  for (const name of (names ?? '').split(',')) {
    const value = values.get(name);
    if (value !== undefined) attrs.set(name, value);
  }
  if (!pattern) return;
  const matches = safePattern(pattern);
  for (const [name, value] of values) if (matches(name)) attrs.set(name, value);
}

function variablesOf({ config }: ContainerRecord): Map<string, string> {
  const pairs = (config.Env ?? []).filter((text) => text.includes('='));
  return new Map(pairs.map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]));
}

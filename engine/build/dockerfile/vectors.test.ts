// BuildKit's own test files, in a folder that BERTH_TEST_DATA names (`dockerfile-parser` in it); skipped without it.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { quote } from './go-text.ts';
import { readStages } from './read.ts';
import { parseSyntax, type Statement } from './syntax.ts';
import { expandWord, expandWords } from './word.ts';

const DATA = resolve(process.env.BERTH_TEST_DATA ?? '/nonexistent', 'dockerfile-parser');

/** A statement as the result files write it. */
function dump(statement: Statement): string {
  const flags = statement.flags.length > 0 ? ` [${statement.flags.map(quote).join(' ')}]` : '';
  const inner = statement.trigger === undefined ? '' : ` (${dump(statement.trigger)})`;
  const pairs = statement.pairs.flatMap((pair) => [pair.key, pair.value, pair.isLegacy ? '' : '=']);
  const words =
    statement.trigger === undefined ? [...statement.args, ...pairs].map((arg) => ` ${quote(arg)}`) : [];
  return `${statement.keyword.toLowerCase()}${flags}${inner}${words.join('')}`;
}

describe.skipIf(!existsSync(DATA))("BuildKit's vectors", () => {
  const files = join(DATA, 'parser/testfiles');
  for (const name of existsSync(files) ? readdirSync(files) : []) {
    it(`parses ${name}`, () => {
      const data = readFileSync(join(files, name, 'Dockerfile'));
      const { statements } = parseSyntax({ name, data });
      const expected = readFileSync(join(files, name, 'result'), 'utf8');
      expect(statements.map((statement) => `(${dump(statement)})`).join('\n')).toBe(expected.trim());
    });
  }

  const negatives = join(DATA, 'parser/testfiles-negative');
  for (const name of existsSync(negatives) ? readdirSync(negatives) : []) {
    it(`refuses ${name}`, () => {
      const data = readFileSync(join(negatives, name, 'Dockerfile'));
      expect(() => readStages(parseSyntax({ name, data }).statements)).toThrow();
    });
  }

  it('expands envVarTest', () => {
    const values: Record<string, string> = { PWD: '/home', SHELL: 'bash', KOREAN: '한국어', NULL: '' };
    for (const line of readFileSync(join(DATA, 'shell/envVarTest'), 'utf8').split('\n')) {
      const [platform = '', source = '', wanted = ''] = line
        .replace(/#.*$/, (comment, at) => (at === 0 ? '' : comment))
        .split('|');
      if (platform.trim() === '' || platform.trim() === 'W') continue;
      const run = () => expandWord(source.trim(), { escape: '\\', lookup: (key) => values[key] }).text;
      if (wanted.trim() === 'error') expect(run, line).toThrow();
      else expect(run(), line).toBe(wanted.trim());
    }
  });

  it('splits wordsTest', () => {
    const values = new Map<string, string>();
    for (const line of readFileSync(join(DATA, 'shell/wordsTest'), 'utf8').split('\n')) {
      const env = /^ENV (\w+)=(.*)$/.exec(line);
      if (env !== null) values.set(env[1] ?? '', env[2] ?? '');
      if (line.startsWith('#') || env !== null || !line.includes('|')) continue;
      const [source = '', wanted = ''] = line.split('|');
      const run = () => expandWords(source.trim(), { escape: '\\', lookup: (key) => values.get(key) });
      if (wanted.trim() === 'error') expect(run, line).toThrow();
      else expect(run().join(','), line).toBe(wanted.trimStart());
    }
  });
});

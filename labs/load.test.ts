import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { formatProblem } from './lab.ts';
import { loadLabs } from './load.ts';

describe('the labs of a folder', () => {
  it('are those with a lab.md, and their problems are told', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'berth-labs-'));
    try {
      for (const name of ['good', 'bad', 'Other', 'empty']) await mkdir(path.join(folder, name));
      const front = '---\nformat: 1\ntitle: T\nsummary: S\nminutes: 5\n---\n';
      await writeFile(path.join(folder, 'good/lab.md'), `${front}## A\n`);
      await writeFile(path.join(folder, 'bad/lab.md'), front);
      await writeFile(path.join(folder, 'Other/lab.md'), `${front}## A\n`);
      const { labs, problems } = await loadLabs(folder);
      expect(labs.map(({ slug, lab }) => [slug, lab.title])).toEqual([['good', 'T']]);
      expect(problems.map(({ file }) => path.relative(folder, file))).toEqual(['Other/lab.md', 'bad/lab.md']);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('the labs in content', async () => {
  const { labs, problems } = await loadLabs(fileURLToPath(new URL('../content/labs', import.meta.url)));

  it('have no problems', () => expect(problems.map(formatProblem)).toEqual([]));

  it.each(labs.map(({ slug, lab }) => ({ slug, lab })))(
    '$slug: every step has checks, a hint and a solution',
    ({ lab }) => {
      expect(lab.steps.length).toBeGreaterThanOrEqual(3);
      for (const step of lab.steps) {
        expect(step.checks.length, step.id).toBeGreaterThan(0);
        expect(step.solution.length, step.id).toBeGreaterThan(0);
        expect(
          step.tokens.some(({ type, meta }) => type === 'lab_container_open' && meta?.name === 'hint'),
          step.id,
        ).toBe(true);
      }
    },
  );
});

import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { BadRecord, readJsonDir, readJsonFile, writeFileAtomic, writeJsonFile } from './json-file.ts';

const Record = z.object({ name: z.string() });
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'berth-store-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('a record file', () => {
  it("is read as it was written, and is root's alone", async () => {
    const file = path.join(directory, 'deep', 'er', 'a.json');
    await writeJsonFile(file, { name: 'a' }, { sync: true });
    expect(await readJsonFile(file, Record)).toEqual({ name: 'a' });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('is undefined when it is not there', async () => {
    expect(await readJsonFile(path.join(directory, 'none.json'), Record)).toBeUndefined();
  });

  it('is refused when it is damaged or does not fit', async () => {
    const file = path.join(directory, 'a.json');
    await writeFile(file, '{"name":');
    await expect(readJsonFile(file, Record)).rejects.toBeInstanceOf(BadRecord);
    await writeFile(file, '{"name":1}');
    await expect(readJsonFile(file, Record)).rejects.toThrow(/a\.json is not a valid record/);
  });

  it('has one of the written contents after many writes at once, and leaves nothing else', async () => {
    const file = path.join(directory, 'a.json');
    const texts = Array.from({ length: 30 }, (_, index) => String(index).repeat(5000));
    await Promise.all(texts.map((text) => writeFileAtomic(file, text)));
    expect(texts).toContain(await readFile(file, 'utf8'));
    expect(await readdir(directory)).toEqual(['a.json']);
  });

  it('stays as it was when the new content cannot be written', async () => {
    const file = path.join(directory, 'a.json');
    await writeJsonFile(file, { name: 'old' });
    await expect(writeJsonFile(file, { name: 1n })).rejects.toThrow();
    expect(await readJsonFile(file, Record)).toEqual({ name: 'old' });
  });
});

describe('a directory of records', () => {
  it('is read by name, without what a crash left half written', async () => {
    await writeJsonFile(path.join(directory, 'b.json'), { name: 'b' });
    await writeJsonFile(path.join(directory, 'a.json'), { name: 'a' });
    await writeFile(path.join(directory, 'c.json.0123abcd.partial'), '{"na');
    expect([...(await readJsonDir(directory, Record)).entries()]).toEqual([
      ['a', { name: 'a' }],
      ['b', { name: 'b' }],
    ]);
    expect(await readdir(directory)).toEqual(['a.json', 'b.json']);
  });

  it('is empty when it is not there', async () => {
    expect((await readJsonDir(path.join(directory, 'none'), Record)).size).toBe(0);
  });

  it('reports bad records and goes on', async () => {
    await writeFile(path.join(directory, 'bad.json'), 'x');
    await writeJsonFile(path.join(directory, 'good.json'), { name: 'good' });
    const bad: string[] = [];
    const records = await readJsonDir(directory, Record, (error) => bad.push(path.basename(error.file)));
    expect([...records.keys()]).toEqual(['good']);
    expect(bad).toEqual(['bad.json']);
  });
});

import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  parsePids,
  readControl,
  removeCgroups,
  walkCgroups,
  writeControl,
  writeControlIfPresent,
} from './cgroup-files.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'berth-cgroup-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('cgroup directories', () => {
  it('are walked parents first, and no further than the bound', async () => {
    await mkdir(path.join(root, 'a', 'b'), { recursive: true });
    await mkdir(path.join(root, 'c'));
    expect(await walkCgroups(root)).toEqual(['', 'a', 'c', 'a/b']);
    expect(await walkCgroups(root, 2)).toEqual(['', 'a']);
    expect(await walkCgroups(path.join(root, 'none'))).toEqual(['']);
  });

  it('are removed however many there are', async () => {
    const tree = path.join(root, 'tree');
    for (let index = 0; index < 300; index++)
      await mkdir(path.join(tree, `d${index % 20}`, `e${index}`), { recursive: true });
    await removeCgroups(tree);
    await expect(stat(tree)).rejects.toThrow('ENOENT');
    await removeCgroups(tree);
  });
});

describe('control files', () => {
  it('are never made by writing to them', async () => {
    await expect(writeControl(path.join(root, 'none'), '1')).rejects.toThrow(
      /cannot write "1" to .*none: ENOENT/,
    );
    expect(await writeControlIfPresent(path.join(root, 'none'), '1')).toBe(false);
    expect(await readControl(path.join(root, 'none'))).toBeUndefined();
  });

  it('list pids one a line', () => {
    expect(parsePids('12\n7\n\nx\n0\n')).toEqual([12, 7]);
    expect(parsePids(undefined)).toEqual([]);
  });
});

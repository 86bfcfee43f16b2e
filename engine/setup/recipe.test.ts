import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  HostImageRecipe,
  hashTree,
  ImageRecipe,
  inOrderOfBuilding,
  readImageRecipes,
  readRecipe,
} from './recipe.ts';

const CONTENT = fileURLToPath(new URL('../../content', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'berth-recipe-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function recipeFolder(name: string, text: string): Promise<string> {
  const place = path.join(folder, name);
  await mkdir(place, { recursive: true });
  await writeFile(path.join(place, 'recipe.yaml'), text);
  return place;
}

describe('recipes', () => {
  it('are all well-formed in content/, and nginx comes after debian', async () => {
    const names = (await readImageRecipes(path.join(CONTENT, 'images'))).map((recipe) => recipe.name);
    expect(names).toContain('busybox');
    expect(names.indexOf('nginx')).toBeGreaterThan(names.indexOf('debian'));
    const hostImage = await readRecipe(path.join(CONTENT, 'host-image'), HostImageRecipe);
    expect(hostImage.data.packages).toContain('docker-cli');
  });

  it('name the file and the key when something is wrong', async () => {
    const place = await recipeFolder('wrong', 'description: x\nreferences: [x]\nconfig: { cmd: sh }\n');
    await expect(readRecipe(place, ImageRecipe)).rejects.toThrow(/wrong\/recipe\.yaml: config\.cmd: /);
  });

  it('refuse to build on what is not there', async () => {
    const place = await recipeFolder('alone', 'description: x\nfrom: nobody\nreferences: [x]\nconfig: {}\n');
    const recipe = await readRecipe(place, ImageRecipe);
    expect(() => inOrderOfBuilding([recipe])).toThrow('alone: "from" names no image');
  });
});

describe('hashTree', () => {
  it('changes with contents, names and executable bits, and with nothing else', async () => {
    const place = await recipeFolder('hashed', 'a: 1\n');
    const first = await hashTree(place);
    expect(await hashTree(place)).toBe(first);
    await writeFile(path.join(place, 'more'), '');
    const second = await hashTree(place);
    expect(second).not.toBe(first);
    await rm(path.join(place, 'more'));
    await writeFile(path.join(place, 'more'), '', { mode: 0o755 });
    expect(await hashTree(place)).not.toBe(second);
  });
});

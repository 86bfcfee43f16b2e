// Recipes: what the lab host and the catalogue's images are made of, as data in content/.

import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import YAML from 'yaml';
import { z } from 'zod';

const PackageName = z.string().regex(/^[a-z0-9][a-z0-9.+-]+$/, 'is not a Debian package name');
/** dpkg's path-exclude and path-include patterns */
const PathPattern = z.string().startsWith('/');

/** content/host-image/recipe.yaml */
export const HostImageRecipe = z.strictObject({
  suite: z.string().regex(/^[a-z]+$/),
  packages: z.array(PackageName),
  exclude: z.array(PathPattern).default([]),
  include: z.array(PathPattern).default([]),
});
export type HostImageRecipe = z.infer<typeof HostImageRecipe>;

/** content/images/<name>/recipe.yaml */
export const ImageRecipe = z
  .strictObject({
    description: z.string(),
    /** a root directory of Debian packages: installed (minbase) or only unpacked (extract) */
    base: z
      .strictObject({
        variant: z.enum(['minbase', 'extract']),
        packages: z.array(PackageName),
        exclude: z.array(PathPattern).default([]),
        include: z.array(PathPattern).default([]),
      })
      .optional(),
    /** not built until someone asks for it: `berth images add NAME` */
    optional: z.boolean().default(false),
    /** name of the recipe whose image this one adds a layer to */
    from: z.string().optional(),
    /** packages that the added layer installs */
    packages: z.array(PackageName).default([]),
    /** a program beside the recipe, run at the end with the root directory as its argument */
    script: z.string().optional(),
    /**
     * where the version comes from that `{version}`, `{minor}` and `{major}` stand for: a package's, a file's content,
     * or the last line that the script prints
     */
    version: z
      .union([
        z.strictObject({ package: PackageName }),
        z.strictObject({ file: z.string() }),
        z.literal('script'),
      ])
      .optional(),
    references: z.array(z.string()).min(1),
    config: z.strictObject({
      env: z.array(z.string()).default([]),
      entrypoint: z.array(z.string()).optional(),
      cmd: z.array(z.string()).optional(),
      expose: z.array(z.string()).default([]),
      volumes: z.array(z.string().startsWith('/')).default([]),
      stopSignal: z.string().optional(),
      workdir: z.string().optional(),
      user: z.string().optional(),
    }),
  })
  .refine((recipe) => !(recipe.base && recipe.from), 'base and from exclude each other');
export type ImageRecipe = z.infer<typeof ImageRecipe>;

/** A recipe and the folder that holds it, its files and its scripts. */
export interface Recipe<T> {
  name: string;
  folder: string;
  data: T;
  /** sha256 of everything in the folder */
  hash: string;
}

/** Reads the recipe in a folder. Throws an Error that names the file and what is wrong in it. */
export async function readRecipe<T>(folder: string, schema: z.ZodType<T>): Promise<Recipe<T>> {
  const file = path.join(folder, 'recipe.yaml');
  const result = schema.safeParse(YAML.parse(await fs.readFile(file, 'utf8')));
  if (!result.success) {
    const lines = result.error.issues.map((issue) => `${issue.path.join('.') || 'recipe'}: ${issue.message}`);
    throw new Error(`${file}: ${lines.join('; ')}`);
  }
  return { name: path.basename(folder), folder, data: result.data, hash: await hashTree(folder) };
}

/** Reads every recipe under content/images, each after the one that it builds on. */
export async function readImageRecipes(folder: string): Promise<Recipe<ImageRecipe>[]> {
  const entries = await fs.readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const recipes = await Promise.all(
    names.sort().map((name) => readRecipe(path.join(folder, name), ImageRecipe)),
  );
  return inOrderOfBuilding(recipes);
}

/** Sorts recipes so that each comes after its `from`. Throws when one is missing or they go in a circle. */
export function inOrderOfBuilding(recipes: readonly Recipe<ImageRecipe>[]): Recipe<ImageRecipe>[] {
  const sorted: Recipe<ImageRecipe>[] = [];
  let waiting = [...recipes];
  while (waiting.length > 0) {
    const ready = waiting.filter(({ data }) => !data.from || sorted.some((done) => done.name === data.from));
    if (ready.length === 0) {
      throw new Error(
        `images ${waiting.map((r) => r.name).join(', ')}: "from" names no image, or goes in a circle`,
      );
    }
    sorted.push(...ready);
    waiting = waiting.filter((recipe) => !ready.includes(recipe));
  }
  return sorted;
}

/** A sha256 over the names, modes and contents of everything under a path. */
export async function hashTree(root: string): Promise<string> {
  const hash = createHash('sha256');
  const visit = async (file: string, name: string): Promise<void> => {
    const stat = await fs.lstat(file);
    const executable = (stat.mode & 0o100) !== 0;
    if (stat.isDirectory()) {
      hash.update(`d ${name}\0`);
      for (const entry of (await fs.readdir(file)).sort())
        await visit(path.join(file, entry), `${name}/${entry}`);
    } else if (stat.isSymbolicLink()) {
      hash.update(`l ${name}\0${await fs.readlink(file)}\0`);
    } else {
      const content = await fs.readFile(file);
      hash.update(`f ${name} ${executable ? 'x' : '-'} ${content.length}\0`).update(content);
    }
  };
  await visit(root, '');
  return hash.digest('hex');
}

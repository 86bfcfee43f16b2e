// Finds the labs of a content folder: every folder in it with a lab.md is a lab, named by the folder.

import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { parseLab } from './format/parse.ts';
import { LAB_LIMITS, type Lab, type Problem } from './lab.ts';

/** A lab's name in addresses and its folder. */
export const LAB_SLUG = /^[a-z0-9][a-z0-9-]{0,63}$/;

/** A lab and where it was found. */
export interface LoadedLab {
  slug: string;
  /** folder of its lab.md and its pictures */
  directory: string;
  lab: Lab;
}

/** Reads every lab in `directory`, sorted by slug; a lab with problems is left out and its problems are told. */
export async function loadLabs(directory: string): Promise<{ labs: LoadedLab[]; problems: Problem[] }> {
  const labs: LoadedLab[] = [];
  const problems: Problem[] = [];
  const entries = await readdir(directory, { withFileTypes: true });
  for (const entry of entries
    .filter((each) => each.isDirectory())
    .sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const loaded = await loadLab(path.join(directory, entry.name));
    if (!loaded) continue;
    problems.push(...loaded.problems);
    if (loaded.lab) labs.push(loaded.lab);
  }
  return { labs, problems };
}

/** Reads the lab in a folder; undefined when it has no lab.md. */
export async function loadLab(
  directory: string,
): Promise<{ lab: LoadedLab | undefined; problems: Problem[] } | undefined> {
  const file = path.join(directory, 'lab.md');
  const slug = path.basename(directory);
  const facts = await stat(file).catch(() => undefined);
  if (!facts?.isFile()) return undefined;
  if (!LAB_SLUG.test(slug)) {
    return {
      lab: undefined,
      problems: [{ file, line: 1, message: `the folder's name "${slug}" must be of a-z 0-9 -` }],
    };
  }
  if (facts.size > LAB_LIMITS.fileSize) {
    return {
      lab: undefined,
      problems: [{ file, line: 1, message: `the file is larger than ${LAB_LIMITS.fileSize / 1024} KiB` }],
    };
  }
  const { lab, problems } = parseLab(await readFile(file, 'utf8'), file);
  return { lab: lab && { slug, directory, lab }, problems };
}

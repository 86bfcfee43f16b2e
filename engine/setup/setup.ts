// Set-up: everything a host needs before the engine can start, in order, each part only when it is missing or outdated.

import fs from 'node:fs/promises';
import path from 'node:path';
import { buildImage, builtImages, outdatedImages, writeCatalogue } from './catalogue.ts';
import { findArchive } from './debian.ts';
import {
  HOST_PACKAGES,
  installPackages,
  missingPackages,
  OPTIONAL_TEST_PACKAGES,
  TEST_PACKAGES,
} from './debian-packages.ts';
import { buildHelper, outdatedHelpers } from './helpers.ts';
import { buildHostImage, hostImageIsCurrent } from './host-image.ts';
import { Progress } from './progress.ts';
import { HostImageRecipe, type ImageRecipe, type Recipe, readImageRecipes, readRecipe } from './recipe.ts';
import { runTasks } from './schedule.ts';
import { fetchSeccompProfile, seccompProfileIsThere } from './seccomp-profile.ts';
import { createServerUser, findServerUser } from './server-user.ts';
import { withSetupLock } from './setup-lock.ts';

/** Where set-up takes from and where it puts things. */
export interface SetupPlaces {
  /** BERTH_DATA */
  dataDir: string;
  /** the checkout: content/ and engine/ with the C sources */
  projectDir: string;
}

type Work = (report: (detail: string) => void) => Promise<void>;

interface Step {
  name: string;
  /** names of steps that must be done before */
  after?: readonly string[];
  work: Work;
}

/** Images that are built at a time: each waits for the network, and for one processor, in turns. */
const SIDE_BY_SIDE = 3;

interface SetupOptions {
  /** what the tests need, too, and every image */
  withTests: boolean;
  /** optional images to build now, by name; 'all' is every one. Those built before are kept current without being named. */
  images?: readonly string[] | 'all';
  environment: NodeJS.ProcessEnv;
  out: NodeJS.WriteStream;
  signal?: AbortSignal;
}

/** Does what is missing, and says so as it goes. Safe to interrupt at any moment and to run again. */
export async function setUp(places: SetupPlaces, options: SetupOptions): Promise<void> {
  await prepareDataDir(places.dataDir);
  await withSetupLock(places.dataDir, async () => {
    const workDir = await emptyWorkDir(places.dataDir);
    try {
      await runSteps(places, options, workDir);
    } finally {
      await fs.rm(workDir, { recursive: true, force: true });
    }
  });
}

async function runSteps(places: SetupPlaces, options: SetupOptions, workDir: string): Promise<void> {
  const { signal } = options;
  const first = await hostSteps(places, options, workDir);
  const { hostImage, images } = await imageSteps(places, options, workDir);
  const total = first.length + hostImage.length + images.length;
  if (total === 0) return;
  const progress = new Progress(options.out, total);
  const run = async (steps: Step[]): Promise<void> => {
    for (const step of steps) {
      signal?.throwIfAborted();
      await progress.step(step.name, step.work);
    }
  };
  try {
    await run(first);
    const tasks = [...hostImage, ...images].map(({ name, after = [], work }) => ({
      name,
      after,
      run: () => run([{ name, work }]),
    }));
    await runTasks(tasks, SIDE_BY_SIDE);
  } finally {
    progress.end();
  }
}

async function hostSteps(
  { dataDir, projectDir }: SetupPlaces,
  { withTests, signal }: SetupOptions,
  workDir: string,
): Promise<Step[]> {
  const steps: Step[] = [];
  const missing = await missingPackages([...HOST_PACKAGES, ...(withTests ? TEST_PACKAGES : [])]);
  if (missing.length > 0) {
    const work: Work = (report) => installPackages(missing, report, signal);
    steps.push({ name: `installing ${missing.length} Debian packages`, work });
  }
  const optional = withTests ? await missingPackages(OPTIONAL_TEST_PACKAGES) : [];
  if (optional.length > 0) {
    const work: Work = (report) =>
      installPackages(optional, report, signal).catch(() => report('not to be had here; tests do without'));
    steps.push({ name: `installing ${optional.join(', ')} for tests`, work });
  }
  for (const helper of await outdatedHelpers(dataDir, projectDir)) {
    steps.push({
      name: `compiling ${helper.name}`,
      work: () => buildHelper(dataDir, projectDir, helper, signal),
    });
  }
  if (!(await seccompProfileIsThere(dataDir))) {
    steps.push({
      name: 'fetching the seccomp profile',
      work: () => fetchSeccompProfile(dataDir, workDir, signal),
    });
  }
  if (!(await findServerUser())) steps.push({ name: 'adding the system user berth', work: createServerUser });
  return steps;
}

async function imageSteps(
  { dataDir, projectDir }: SetupPlaces,
  options: SetupOptions,
  workDir: string,
): Promise<{ hostImage: Step[]; images: Step[] }> {
  const { environment, signal } = options;
  const setupDir = path.join(projectDir, 'engine/setup');
  const recipe = await readRecipe(path.join(projectDir, 'content/host-image'), HostImageRecipe);
  const archive = await findArchive(recipe.data.suite, environment);
  const hostImage: Step[] = [];
  if (!(await hostImageIsCurrent(dataDir, recipe))) {
    const work: Work = (report) =>
      buildHostImage(dataDir, workDir, setupDir, recipe, archive, report, signal);
    hostImage.push({ name: 'building the lab host', work });
  }

  const recipes = await readImageRecipes(path.join(projectDir, 'content/images'));
  const wanted = wantedImages(recipes, await builtImages(dataDir), options);
  const outdated = await outdatedImages(dataDir, wanted);
  const images: Step[] = wanted
    .filter((candidate) => outdated.includes(candidate.name))
    .map((candidate) => ({
      name: stepName(candidate.name),
      after: candidate.data.from === undefined ? [] : [stepName(candidate.data.from)],
      work: async (report) => {
        const builder = { dataDir, workDir, setupDir, archive, report, ...(signal ? { signal } : {}) };
        await buildImage(builder, candidate);
        await writeCatalogue(dataDir, recipes);
      },
    }));
  return { hostImage, images };
}

function stepName(image: string): string {
  return `building the image ${image}`;
}

/**
 * The recipes to build: what every host has, what it has been asked for, and what these are built on. Throws for a name
 * that no recipe has.
 */
export function wantedImages(
  recipes: readonly Recipe<ImageRecipe>[],
  built: ReadonlySet<string>,
  { withTests, images = [] }: Pick<SetupOptions, 'withTests' | 'images'>,
): Recipe<ImageRecipe>[] {
  const named = images === 'all' ? [] : images;
  const unknown = named.filter((name) => !recipes.some((recipe) => recipe.name === name));
  if (unknown.length > 0) {
    const known = recipes.map(({ name }) => name).join(', ');
    throw new Error(`there is no recipe for ${unknown.join(', ')}; there are: ${known}`);
  }
  const wantsAll = withTests || images === 'all';
  const wanted = new Set<string>();
  // Parents come before their children, so the other way round one pass is enough.
  for (const { name, data } of recipes.toReversed()) {
    if (!(wantsAll || !data.optional || built.has(name) || named.includes(name) || wanted.has(name)))
      continue;
    wanted.add(name);
    if (data.from !== undefined) wanted.add(data.from);
  }
  return recipes.filter(({ name }) => wanted.has(name));
}

/** Sandboxes' and the server's parts are closed to others by their own modes; the way to the server's must be open. */
async function prepareDataDir(dataDir: string): Promise<void> {
  await fs.mkdir(dataDir, { recursive: true });
  await fs.chmod(dataDir, 0o755);
  await fs.mkdir(path.join(dataDir, 'bin'), { recursive: true });
}

/** BERTH_DATA/tmp, emptied of what an interrupted set-up left. */
async function emptyWorkDir(dataDir: string): Promise<string> {
  const workDir = path.join(dataDir, 'tmp');
  await fs.rm(workDir, { recursive: true, force: true });
  await fs.mkdir(workDir, { mode: 0o755 });
  return workDir;
}

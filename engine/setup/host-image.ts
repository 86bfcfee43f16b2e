// The host image: the root directory that every lab host has below its own layer, built once from a recipe.

import fs from 'node:fs/promises';
import path from 'node:path';
import { archiveDate, bootstrap, type DebianArchive } from './debian.ts';
import { runProgram } from './program.ts';
import type { HostImageRecipe, Recipe } from './recipe.ts';
import { isStamped, stamp } from './stamp.ts';

/** BERTH_DATA/host-image/root */
export function hostImageRoot(dataDir: string): string {
  return path.join(dataDir, 'host-image', 'root');
}

function stampFile(dataDir: string): string {
  return path.join(dataDir, 'host-image', 'stamp');
}

/** Whether the host image is there and made from this recipe. */
export async function hostImageIsCurrent(dataDir: string, recipe: Recipe<HostImageRecipe>): Promise<boolean> {
  return await isStamped(stampFile(dataDir), recipe.hash, hostImageRoot(dataDir));
}

/**
 * Builds the host image in `workDir` (with the scripts in `setupDir`) and puts it in its place. Running sandboxes keep the old directory mounted, so it
 * is moved aside and deleted, which takes only its names away.
 */
export async function buildHostImage(
  dataDir: string,
  workDir: string,
  setupDir: string,
  recipe: Recipe<HostImageRecipe>,
  archive: DebianArchive,
  report: (detail: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const root = path.join(workDir, 'host-image');
  const options = signal ? { signal } : {};
  const date = await archiveDate(archive);
  await bootstrap(archive, { root, variant: 'minbase', ...recipe.data, date }, report, signal);
  report('adding files');
  await runProgram([path.join(setupDir, 'copy-files.sh'), path.join(recipe.folder, 'files'), root], options);
  await runProgram([path.join(recipe.folder, 'finish.sh'), root], { ...options, isolated: true });
  await fs.chmod(root, 0o755);

  const place = hostImageRoot(dataDir);
  await fs.mkdir(path.dirname(place), { recursive: true });
  await fs.rm(stampFile(dataDir), { force: true });
  const old = path.join(workDir, 'host-image.old');
  await fs.rename(place, old).catch(ignoreMissing);
  await fs.rename(root, place);
  await stamp(stampFile(dataDir), recipe.hash);
  report('removing the old one');
  await fs.rm(old, { recursive: true, force: true });
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
}

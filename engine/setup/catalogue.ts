// Building the catalogue: each recipe to an image in the shared store, and the list of them that the engine reads.

import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { blobPath, writeBlob } from '../image/blobs.ts';
import { type CatalogueFile, openCatalogue } from '../image/catalogue.ts';
import { imagesDir, layerDirName } from '../image/layer.ts';
import { OciImageConfig } from '../image/oci-image.ts';
import { archiveDate, bootstrap, type DebianArchive, packageProgress, sourceLines } from './debian.ts';
import { fillVersion, imageConfig, imageManifest, imageReferences, upstreamVersion } from './image-config.ts';
import { type BuiltLayer, storeLayer } from './layer-archive.ts';
import { runProgram } from './program.ts';
import type { ImageRecipe, Recipe } from './recipe.ts';
import { writeWhole } from './stamp.ts';

/** Raised when the same recipe would now make another image, because this code changed. */
const BUILDER = 2;

/** BERTH_DATA/images/built/<recipe>.json: what a recipe was last built to. */
const BuiltImage = z.object({
  inputs: z.string(),
  references: z.array(z.string()).min(1),
  description: z.string(),
  manifest: z.string(),
  config: z.string(),
  createdBy: z.string(),
  layers: z.array(
    z.object({ digest: z.string(), diffId: z.string(), size: z.number(), unpackedSize: z.number() }),
  ),
});
type BuiltImage = z.infer<typeof BuiltImage>;

/** What the builder needs to know of its surroundings. */
export interface CatalogueBuilder {
  dataDir: string;
  /** a directory on the same file system as dataDir, removed by the caller */
  workDir: string;
  /** where chroot-layer.sh and copy-files.sh are */
  setupDir: string;
  archive: DebianArchive;
  report: (detail: string) => void;
  signal?: AbortSignal;
}

/** The recipes whose images are missing, or were made from something else than they would be now. */
export async function outdatedImages(
  dataDir: string,
  recipes: readonly Recipe<ImageRecipe>[],
): Promise<string[]> {
  const names: string[] = [];
  const listed = new Set((await openCatalogue(dataDir)).list().map((entry) => entry.manifestDigest));
  for (const recipe of recipes) {
    const built = await readBuilt(dataDir, recipe.name);
    const parentOutdated = recipe.data.from !== undefined && names.includes(recipe.data.from);
    const current = built?.inputs === (await inputsOf(dataDir, recipe)) && listed.has(built.manifest);
    if (parentOutdated || !current || !(await isComplete(dataDir, built))) names.push(recipe.name);
  }
  return names;
}

/** Builds one image, its parent being there. The store gets its blobs and layers first, then the record of it. */
export async function buildImage(builder: CatalogueBuilder, recipe: Recipe<ImageRecipe>): Promise<void> {
  const { dataDir, workDir, report, archive } = builder;
  const work = path.join(workDir, recipe.name);
  await fs.mkdir(work, { recursive: true });
  const parent = recipe.data.from === undefined ? undefined : await readParent(dataDir, recipe.data.from);
  const date = await archiveDate(archive);

  const made = parent
    ? await makeLayerOn(builder, work, recipe, parent)
    : await makeRoot(builder, work, recipe, date);
  const version = await readVersion(recipe.data, made);
  report('storing the layer');
  const layer = await storeLayer(dataDir, work, made.layer, made.visible.slice(1), date, builder.signal);

  const config = imageConfig({
    name: recipe.name,
    recipe: recipe.data,
    version,
    createdBy: made.createdBy,
    date,
    layer,
    ...(parent ? { parent } : {}),
  });
  const layers = [...(parent?.layers ?? []), layer];
  const storedConfig = await writeBlob(dataDir, JSON.stringify(config));
  const storedManifest = await writeBlob(dataDir, JSON.stringify(imageManifest(storedConfig, layers)));
  const built: BuiltImage = {
    inputs: await inputsOf(dataDir, recipe),
    references: imageReferences(recipe.data, version),
    description: fillVersion(recipe.data.description, version),
    manifest: storedManifest.digest,
    config: storedConfig.digest,
    createdBy: made.createdBy,
    layers,
  };
  const file = builtFile(dataDir, recipe.name);
  await fs.mkdir(path.dirname(file), { recursive: true });
  await writeWhole(file, JSON.stringify(built, undefined, 2));
  await fs.rm(work, { recursive: true, force: true });
}

/** Writes catalogue.json over all images that are built. */
export async function writeCatalogue(
  dataDir: string,
  recipes: readonly Recipe<ImageRecipe>[],
): Promise<void> {
  const images: CatalogueFile['images'] = [];
  for (const recipe of recipes) {
    const built = await readBuilt(dataDir, recipe.name);
    if (!built) continue;
    const { references, manifest, description, layers } = built;
    images.push({
      references,
      manifest,
      description,
      unpackedSizes: layers.map((layer) => layer.unpackedSize),
    });
  }
  const file = path.join(imagesDir(dataDir), 'catalogue.json');
  await writeWhole(file, JSON.stringify({ version: 1, images } satisfies CatalogueFile, undefined, 2));
}

interface MadeLayer {
  /** the directory that becomes the layer */
  layer: string;
  /** the directories where the image's files can be looked up, uppermost first */
  visible: string[];
  /** `package<tab>version` lines */
  packages: string;
  /** what the recipe's script printed */
  printed: string;
  createdBy: string;
}

async function makeRoot(
  { setupDir, archive, report, signal }: CatalogueBuilder,
  work: string,
  { data, folder }: Recipe<ImageRecipe>,
  date: Date,
): Promise<MadeLayer> {
  const options = signal ? { signal } : {};
  const root = path.join(work, 'root');
  let createdBy = `${data.script ?? 'files'} # built by berth set-up`;
  if (data.base) {
    await bootstrap(archive, { root, date, ...data.base }, report, signal);
    createdBy = `mmdebstrap --variant=${data.base.variant} ${archive.suite} # built by berth set-up`;
  } else {
    await fs.mkdir(root);
  }
  await fs.chmod(root, 0o755);
  const files = path.join(folder, 'files');
  if (await exists(files)) await runProgram([path.join(setupDir, 'copy-files.sh'), files, root], options);
  const printed = data.script
    ? await runProgram([path.join(folder, data.script), root], { ...options, isolated: true })
    : '';
  return { layer: root, visible: [root], packages: await packageVersions(root, options), printed, createdBy };
}

async function makeLayerOn(
  { dataDir, setupDir, archive, report, signal }: CatalogueBuilder,
  work: string,
  { data, folder }: Recipe<ImageRecipe>,
  parent: ParentImage,
): Promise<MadeLayer> {
  const upper = path.join(work, 'upper');
  const overlayWork = path.join(work, 'work');
  const merged = path.join(work, 'merged');
  for (const dir of [upper, overlayWork, merged]) await fs.mkdir(dir);
  const lower = parent.layers
    .map((layer) => path.join(imagesDir(dataDir), 'layers', layerDirName(layer.diffId)))
    .reverse();
  const sources = path.join(work, 'sources.list');
  await fs.writeFile(sources, `${sourceLines(archive).join('\n')}\n`);
  const files = path.join(folder, 'files');
  const printed = await runProgram(
    [
      path.join(setupDir, 'chroot-layer.sh'),
      ...[lower.join(':'), upper, overlayWork, merged, sources],
      (await exists(files)) ? files : '-',
      data.script ? path.join(folder, data.script) : '-',
      ...data.packages,
    ],
    {
      isolated: true,
      env: { DEBIAN_FRONTEND: 'noninteractive' },
      onLine: packageProgress(report),
      ...(signal ? { signal } : {}),
    },
  );
  return {
    layer: upper,
    visible: [upper, ...lower],
    printed,
    packages: await packageVersions(upper, signal ? { signal } : {}),
    createdBy:
      data.packages.length > 0
        ? `apt-get install -y --no-install-recommends ${data.packages.join(' ')} # built by berth set-up`
        : `${data.script ?? 'files'} # built by berth set-up`,
  };
}

/** `package<tab>version` lines of what dpkg's records in a root directory name, installed or only unpacked. */
async function packageVersions(root: string, options: { signal?: AbortSignal }): Promise<string> {
  const admin = path.join(root, 'var/lib/dpkg');
  if (!(await exists(path.join(admin, 'status')))) return '';
  return await runProgram(['dpkg-query', `--admindir=${admin}`, '--show'], options);
}

async function readVersion(
  { version }: ImageRecipe,
  { visible, packages, printed }: MadeLayer,
): Promise<string> {
  if (version === undefined) return '';
  if (version === 'script') return printed.trim().split('\n').at(-1) ?? '';
  if ('file' in version) {
    for (const dir of visible) {
      const text = await fs.readFile(path.join(dir, version.file), 'utf8').catch(() => undefined);
      if (text !== undefined) return text.trim();
    }
    throw new Error(`the image has no file ${version.file} to take its version from`);
  }
  const name = version.package;
  const line = packages.split('\n').find((candidate) => candidate.startsWith(`${name}\t`));
  if (!line) throw new Error(`the image has no package ${name} to take its version from`);
  return upstreamVersion(line.slice(name.length + 1));
}

interface ParentImage {
  config: OciImageConfig;
  layers: BuiltLayer[];
  reference: string;
}

async function readParent(dataDir: string, name: string): Promise<ParentImage> {
  const built = await readBuilt(dataDir, name);
  const reference = built?.references[0];
  if (!built || reference === undefined) throw new Error(`image ${name} is not built yet`);
  const config = OciImageConfig.parse(JSON.parse(await fs.readFile(blobPath(dataDir, built.config), 'utf8')));
  return { config, layers: built.layers, reference };
}

/** Everything that decides what an image becomes: its recipe, this code, and its parent's layers. */
async function inputsOf(dataDir: string, recipe: Recipe<ImageRecipe>): Promise<string> {
  const parent = recipe.data.from === undefined ? undefined : await readBuilt(dataDir, recipe.data.from);
  return createHash('sha256')
    .update(JSON.stringify([BUILDER, recipe.hash, parent?.layers.map((layer) => layer.diffId) ?? []]))
    .digest('hex');
}

async function isComplete(dataDir: string, built: BuiltImage): Promise<boolean> {
  const blobs = [built.manifest, built.config, ...built.layers.map((layer) => layer.digest)];
  const layers = built.layers.map((layer) =>
    path.join(imagesDir(dataDir), 'layers', layerDirName(layer.diffId)),
  );
  const there = await Promise.all(
    [...blobs.map((digest) => blobPath(dataDir, digest)), ...layers].map(exists),
  );
  return there.every((yes) => yes);
}

function builtFile(dataDir: string, name: string): string {
  return path.join(imagesDir(dataDir), 'built', `${name}.json`);
}

/** The names of the recipes that were built here once. */
export async function builtImages(dataDir: string): Promise<ReadonlySet<string>> {
  const files = await fs.readdir(path.join(imagesDir(dataDir), 'built')).catch(() => []);
  return new Set(files.filter((file) => file.endsWith('.json')).map((file) => path.basename(file, '.json')));
}

async function readBuilt(dataDir: string, name: string): Promise<BuiltImage | undefined> {
  const text = await fs.readFile(builtFile(dataDir, name), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const parsed = BuiltImage.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : undefined;
}

async function exists(file: string): Promise<boolean> {
  return await fs.lstat(file).then(
    () => true,
    () => false,
  );
}

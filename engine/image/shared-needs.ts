// What of the shared store is needed: by the catalogue, by what set-up has built, and by every sandbox that there is, running or not.

import fs from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { readJsonFile } from '../store/json-file.ts';
import { blobPath } from './blobs.ts';
import { type Catalogue, type CatalogueEntry, openCatalogue } from './catalogue.ts';
import { imagesDir, layerDirName } from './layer.ts';
import { OciManifest, Sha256Digest } from './oci-image.ts';
import { SharedLayer } from './shared-store.ts';

/** The part of a sandbox's images.json that counts here. */
const SandboxImages = z.looseObject({ shared: z.record(Sha256Digest, SharedLayer.omit({ diffId: true })) });
const BuiltImage = z.looseObject({ manifest: Sha256Digest });

export interface Needs {
  layerDirs: Set<string>;
  blobs: Set<string>;
}

/**
 * @param catalogue as the engine has it; set-up may have written another one since
 * @param sandboxesDir BERTH_DATA/sandboxes
 * Rejects when anything that could name a layer cannot be read.
 */
export async function sharedNeeds(
  dataDir: string,
  catalogue: Catalogue,
  sandboxesDir: string,
): Promise<Needs> {
  const needs: Needs = { layerDirs: new Set(), blobs: new Set() };
  for (const entry of catalogue.list()) addEntry(needs, entry);
  for (const entry of (await openCatalogue(dataDir)).list()) addEntry(needs, entry);
  await addBuilt(needs, dataDir);
  for (const name of await namesIn(sandboxesDir)) {
    const file = path.join(sandboxesDir, name, 'state', 'images.json');
    const images = await readJsonFile(file, SandboxImages);
    for (const [diffId, { digest }] of Object.entries(images?.shared ?? {})) {
      needs.layerDirs.add(layerDirName(diffId));
      needs.blobs.add(digest);
    }
  }
  return needs;
}

function addEntry(needs: Needs, entry: CatalogueEntry): void {
  needs.blobs.add(entry.manifestDigest).add(entry.id);
  for (const layer of entry.layers) {
    needs.layerDirs.add(layer.dirName);
    needs.blobs.add(layer.digest);
  }
}

/** Images that set-up has built and not yet listed. */
async function addBuilt(needs: Needs, dataDir: string): Promise<void> {
  const directory = path.join(imagesDir(dataDir), 'built');
  for (const name of await namesIn(directory)) {
    const built = await readJsonFile(path.join(directory, name), BuiltImage);
    if (!built) continue;
    const manifest = OciManifest.parse(
      JSON.parse(await fs.readFile(blobPath(dataDir, built.manifest), 'utf8')),
    );
    needs.blobs.add(built.manifest).add(manifest.config.digest);
    for (const layer of manifest.layers) needs.blobs.add(layer.digest);
    const config = z
      .looseObject({ rootfs: z.looseObject({ diff_ids: z.array(Sha256Digest) }) })
      .parse(JSON.parse(await fs.readFile(blobPath(dataDir, manifest.config.digest), 'utf8')));
    for (const diffId of config.rootfs.diff_ids) needs.layerDirs.add(layerDirName(diffId));
  }
}

async function namesIn(directory: string): Promise<string[]> {
  return fs.readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

// Where images and their unpacked layers lie in the shared store, and what a record of an image holds.

import path from 'node:path';

/**
 * BERTH_DATA/images:
 *   blobs/sha256/<hex>     OCI blobs: manifests, configurations, gzip-compressed layer archives (image-spec, image layout)
 *   layers/<layer dir>/    unpacked layers, whiteouts as overlay wants them (0/0 devices, user.overlay.opaque), owned by host ids 0…65535
 *   catalogue.json         references to manifest digests, with descriptions
 */
export function imagesDir(dataDir: string): string {
  return path.join(dataDir, 'images');
}

/** The directory name of an unpacked layer: 26 hex digits of its diff id, short because mount(2) takes one page of lowerdirs. */
export function layerDirName(diffId: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(diffId)?.[1];
  if (!hex) throw new Error(`${diffId} is not a sha256 digest`);
  return hex.slice(0, 26);
}

/** Where a layer of a container or an image lies, below Docker's root: a bare name is a shared one, others are the sandbox's own. */
export function layerLocation(dirName: string): string {
  return dirName.includes('/') ? dirName : `shared/${dirName}`;
}

// docker rmi and docker image prune: which references go, when the image goes with them, and what is in the way.

import { Conflict } from '../errors.ts';
import type { EventBus } from '../events/bus.ts';
import { parseRfc3339 } from '../events/clock.ts';
import type { Filters } from '../events/filters.ts';
import { parseUntil } from '../events/until.ts';
import { digestOf } from './blobs.ts';
import type { LayerKeeper } from './layers.ts';
import type { ImageStore, LocalImage } from './local.ts';
import {
  familiarReference,
  fullReference,
  parseReference,
  repositoryName,
  withDefaultTag,
} from './reference.ts';

export type RemovedImage = { Untagged: string } | { Deleted: string };

/** A container that uses an image, as removal needs to know it. */
export interface ImageUser {
  id: string;
  image: string;
  isRunning: boolean;
}

export interface RemoveParts {
  images: ImageStore;
  events: EventBus;
  layers: LayerKeeper;
  users(): readonly ImageUser[];
}

/** Removes by reference (the image goes with its last one) or by id. Throws NotFound, or Conflict in Docker's words. */
export async function removeImage(parts: RemoveParts, name: string, force: boolean): Promise<RemovedImage[]> {
  const { image, isById } = parts.images.find(name);
  const users = parts.users().filter((user) => user.image === image.id);
  const reference = isById ? undefined : fullReference(withDefaultTag(parseReference(name)));
  const others = reference === undefined ? [] : lastingReferences(image, reference);
  if (reference !== undefined) {
    if (others.length > 0) return untag(parts, image, [reference, ...orphanedDigests(image, reference)]);
    const user = users[0];
    if (user && !force) {
      throw new Conflict(
        `conflict: unable to remove repository reference "${name}" (must force) - container ${short(user.id)} is using its referenced image ${shortImage(image)}`,
      );
    }
    if (parts.images.children(image.id).length > 0) return untag(parts, image, image.localReferences);
    if (user?.isRunning || users.some((each) => each.isRunning)) {
      return untag(parts, image, image.localReferences);
    }
  } else {
    if (parts.images.children(image.id).length > 0) {
      throw new Conflict(
        `conflict: unable to delete ${shortImage(image)} (cannot be forced) - image has dependent child images`,
      );
    }
    checkRemovalById(image, users, force);
  }
  return removeWhole(parts, image);
}

/** The tags that would be left; a digest reference does not keep an image by itself. */
function lastingReferences(image: LocalImage, without: string): string[] {
  return image.localReferences.filter((each) => each !== without && !each.includes('@'));
}

/** Digest references of a repository whose last tag here goes. */
function orphanedDigests(image: LocalImage, without: string): string[] {
  const repository = repositoryName(parseReference(without));
  const isOfRepository = (each: string) => repositoryName(parseReference(each)) === repository;
  if (lastingReferences(image, without).some(isOfRepository)) return [];
  return image.localReferences.filter(
    (each) => each.includes('@') && isOfRepository(each) && each !== without,
  );
}

function checkRemovalById(image: LocalImage, users: readonly ImageUser[], force: boolean): void {
  const refuse = (how: string, why: string) =>
    new Conflict(`conflict: unable to delete ${shortImage(image)} (${how}) - ${why}`);
  const running = users.find((user) => user.isRunning);
  if (running) {
    throw refuse('cannot be forced', `image is being used by running container ${short(running.id)}`);
  }
  if (force) return;
  const repositories = new Set(image.localReferences.map((each) => repositoryName(parseReference(each))));
  if (repositories.size > 1) throw refuse('must be forced', 'image is referenced in multiple repositories');
  const stopped = users[0];
  if (stopped)
    throw refuse('must be forced', `image is being used by stopped container ${short(stopped.id)}`);
}

async function untag(
  parts: RemoveParts,
  image: LocalImage,
  references: readonly string[],
): Promise<RemovedImage[]> {
  await parts.images.removeReferences(references);
  return references.map((each) => {
    publish(parts, 'untag', image);
    return { Untagged: familiarReference(parseReference(each)) };
  });
}

async function removeWhole(parts: RemoveParts, image: LocalImage): Promise<RemovedImage[]> {
  const references = [...image.localReferences].sort(
    (a, b) => Number(a.includes('@')) - Number(b.includes('@')),
  );
  await parts.images.remove(image.id);
  const untagged = references.map((each) => {
    publish(parts, 'untag', image);
    return { Untagged: familiarReference(parseReference(each)) };
  });
  publish(parts, 'delete', image);
  return [
    ...untagged,
    { Deleted: image.id },
    ...(await removeLayers(parts, image)),
    ...(await removeParent(parts, image)),
  ];
}

/** The image's own layers that nothing else needs, top first, by chain id as Docker names them. */
async function removeLayers(parts: RemoveParts, image: LocalImage): Promise<RemovedImage[]> {
  const removed = await parts.layers.collect();
  const chain: { diffId: string; chainId: string }[] = [];
  for (const diffId of image.config.rootfs.diff_ids) {
    const below = chain.at(-1);
    chain.push({ diffId, chainId: below ? digestOf(`${below.chainId} ${diffId}`) : diffId });
  }
  return chain
    .reverse()
    .filter(({ diffId }) => removed.has(diffId))
    .map(({ chainId }) => ({ Deleted: chainId }));
}

/** An image that lost its last tag while others were made from it goes with the last of those. */
async function removeParent(parts: RemoveParts, image: LocalImage): Promise<RemovedImage[]> {
  const parent = parts.images.byId(image.parent);
  if (!parent || parent.localReferences.length > 0 || parts.images.children(parent.id).length > 0) return [];
  if (parts.users().some((user) => user.image === parent.id)) return [];
  return removeWhole(parts, parent);
}

/** Removes images without a tag (or, with `all`, every one) that no container uses, as far as the filters let them. */
export async function pruneImages(
  parts: RemoveParts,
  all: boolean,
  filters: Filters,
): Promise<{ removed: RemovedImage[]; bytes: number }> {
  const until = parseUntil(filters);
  const passes = (image: LocalImage) => {
    const labels = image.config.config?.Labels ?? {};
    if (!filters.labels((name) => labels[name])) return false;
    return until === undefined || parseRfc3339(image.created) <= until;
  };
  const before = ownBytes(parts.images);
  const used = new Set(parts.users().map((user) => user.image));
  const removed: RemovedImage[] = [];
  // children before what they were made from
  for (const image of parts.images.list().reverse()) {
    const isTagged = image.localReferences.some((each) => !each.includes('@'));
    const isNeeded = used.has(image.id) || parts.images.children(image.id).length > 0;
    // an earlier one may have taken its parent along
    if (isNeeded || !parts.images.byId(image.id) || !passes(image)) continue;
    if (all || !isTagged) removed.push(...(await removeWhole(parts, image)));
  }
  await parts.layers.collect();
  const bytes = before - ownBytes(parts.images);
  parts.events.publish('image', 'prune', '', { reclaimed: String(bytes) });
  return { removed, bytes };
}

function ownBytes(images: ImageStore): number {
  return [...images.privateLayers().values()].reduce((sum, layer) => sum + layer.size, 0);
}

function publish(parts: RemoveParts, action: string, image: LocalImage): void {
  parts.events.publish('image', action, image.id, { ...image.config.config?.Labels, name: image.id });
}

function short(id: string): string {
  return id.slice(0, 12);
}

function shortImage(image: LocalImage): string {
  return image.id.slice('sha256:'.length, 'sha256:'.length + 12);
}

// docker rmi and docker image prune: which references go, when the image goes with them, and what is in the way.

import { Conflict } from '../errors.ts';
import type { EventBus } from '../events/bus.ts';
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
    if (user?.isRunning || users.some((each) => each.isRunning)) {
      return untag(parts, image, image.localReferences);
    }
  } else {
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
  return [...untagged, { Deleted: image.id }];
}

/** Removes images without a tag (or, with `all`, every one) that no container uses. */
export async function pruneImages(parts: RemoveParts, all: boolean): Promise<RemovedImage[]> {
  const used = new Set(parts.users().map((user) => user.image));
  const removed: RemovedImage[] = [];
  for (const image of parts.images.list()) {
    const isTagged = image.localReferences.some((each) => !each.includes('@'));
    if (!used.has(image.id) && (all || !isTagged)) removed.push(...(await removeWhole(parts, image)));
  }
  return removed;
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

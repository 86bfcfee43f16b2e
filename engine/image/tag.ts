// docker tag: one more reference to an image.

import { InvalidParameter } from '../errors.ts';
import type { EventBus } from '../events/bus.ts';
import type { ImageStore } from './local.ts';
import { familiarReference, fullReference, parseReference, withDefaultTag } from './reference.ts';

/** Gives the image `source` the reference repo:tag. */
export async function tagImage(
  parts: { images: ImageStore; events: EventBus },
  source: string,
  repo: string,
  tag: string,
): Promise<void> {
  const { image } = parts.images.find(source);
  const reference = newTag(repo, tag);
  await parts.images.addReferences(image.id, [reference.full]);
  parts.events.publish('image', 'tag', image.id, {
    ...image.config.config?.Labels,
    name: reference.familiar,
  });
}

/** The reference that `repo` and `tag` (latest when empty) make, in full and as Docker shows it. Throws InvalidParameter. */
export function newTag(repo: string, tag: string): { full: string; familiar: string } {
  const parsed = parseReference(tag === '' ? repo : `${repo}:${tag}`);
  if (parsed.digest !== undefined)
    throw new InvalidParameter('refusing to create a tag with a digest reference');
  const reference = withDefaultTag(parsed);
  return { full: fullReference(reference), familiar: familiarReference(reference) };
}

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
  const parsed = parseReference(tag === '' ? repo : `${repo}:${tag}`);
  if (parsed.digest !== undefined)
    throw new InvalidParameter('refusing to create a tag with a digest reference');
  const reference = withDefaultTag(parsed);
  await parts.images.addReferences(image.id, [fullReference(reference)]);
  parts.events.publish('image', 'tag', image.id, {
    ...image.config.config?.Labels,
    name: familiarReference(reference),
  });
}

// docker images: which images a sandbox has, by filters.

import { NotFound } from '../errors.ts';
import { parseRfc3339 } from '../events/clock.ts';
import type { Filters } from '../events/filters.ts';
import { parseUntil } from '../events/until.ts';
import { repoNames, seconds } from './inspect.ts';
import type { ImageStore, LocalImage } from './local.ts';

/** The filters that GET /images/json knows. */
export const IMAGE_FILTERS = ['dangling', 'label', 'label!', 'before', 'since', 'reference', 'until'];

/** GET /images/json, newest first. What images share is worked out when it is asked for. */
export function listImages(
  images: ImageStore,
  filters: Filters,
  options: { sharedSize?: boolean } = {},
): Record<string, unknown>[] {
  return filterImages(images, filters).map((image) => ({
    Containers: -1,
    Created: seconds(image.created),
    Id: image.id,
    Labels: image.config.config?.Labels ?? null,
    ParentId: image.parent,
    ...repoNames(image),
    SharedSize: options.sharedSize ? sharedSize(images, image.id) : -1,
    Size: image.size,
  }));
}

/** Bytes of an image's layers that others have too. */
export function sharedSize(images: ImageStore, id: unknown): number {
  const all = images.list();
  const others = new Set(
    all.filter((each) => each.id !== id).flatMap((each) => each.layers.map((layer) => layer.diffId)),
  );
  const own = all.find((each) => each.id === id)?.layers ?? [];
  return own.reduce((sum, layer) => sum + (others.has(layer.diffId) ? layer.unpackedSize : 0), 0);
}

function filterImages(images: ImageStore, filters: Filters): LocalImage[] {
  const createdOf = (key: string) =>
    filters.get(key).map((name) => Date.parse(images.find(name).image.created));
  const before = Math.min(Number.POSITIVE_INFINITY, ...createdOf('before'));
  const since = Math.max(Number.NEGATIVE_INFINITY, ...createdOf('since'));
  const dangling = filters.boolean('dangling');
  const until = parseUntil(filters);
  return images
    .list()
    .filter((image) => {
      const created = Date.parse(image.created);
      const labels = image.config.config?.Labels ?? {};
      const names = repoNames(image);
      if (names.RepoTags.length === 0 && images.children(image.id).length > 0) return false;
      return (
        created < before &&
        created > since &&
        (until === undefined || parseRfc3339(image.created) <= until) &&
        (dangling === undefined || dangling === (names.RepoTags.length === 0)) &&
        filters.labels((name) => labels[name]) &&
        filters.any('reference', (pattern) =>
          [...names.RepoTags, ...names.RepoDigests].some((name) => matchesPattern(name, pattern)),
        )
      );
    })
    .sort((a, b) => Date.parse(b.created) - Date.parse(a.created));
}

/** Docker's familiar match: the pattern covers name:tag, or the name alone; `*` and `?` stop at a slash. */
function matchesPattern(name: string, pattern: string): boolean {
  return matchesGlob(name, pattern) || matchesGlob(name.replace(/(?:@.*|:[^/:]*)$/, ''), pattern);
}

/** Segment by segment, each in linear space and at most quadratic time, since the pattern is a student's. */
export function matchesGlob(text: string, pattern: string): boolean {
  const texts = text.split('/');
  const patterns = pattern.split('/');
  return (
    texts.length === patterns.length &&
    patterns.every((part, index) => matchesSegment(texts[index] ?? '', part))
  );
}

function matchesSegment(text: string, pattern: string): boolean {
  let at = 0;
  let star = -1;
  let retry = 0;
  for (let i = 0; i < text.length; ) {
    if (pattern[at] === '*') {
      star = at++;
      retry = i;
    } else if (pattern[at] === '?' || pattern[at] === text[i]) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++retry;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/** The image that a container's config names, or NotFound. */
export function requireImage(images: ImageStore, name: string): LocalImage {
  if (name === '') throw new NotFound('No such image: ');
  return images.find(name).image;
}

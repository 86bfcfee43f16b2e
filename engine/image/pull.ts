// docker pull: an image of the catalogue becomes the sandbox's. Its layers are there already, so this takes no time.

import { InvalidParameter, NotFound } from '../errors.ts';
import type { EventBus } from '../events/bus.ts';
import type { Catalogue, CatalogueEntry } from './catalogue.ts';
import type { ImageStore } from './local.ts';
import {
  familiarName,
  familiarReference,
  fullReference,
  parseReference,
  type Reference,
  repositoryName,
  withDefaultTag,
} from './reference.ts';

/** One line of the progress stream (JSONMessage). */
export interface PullProgress {
  status: string;
  id?: string;
  progressDetail?: Record<string, number>;
}

export interface PullParts {
  catalogue: Catalogue;
  images: ImageStore;
  events: EventBus;
}

/** The architecture names of images (Go's) by Node's. */
export const GO_ARCHITECTURE: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };

/**
 * Pulls what `name` and `tag` say (a tag, a digest, or with an empty tag every tag); the lines are what a registry's
 * pull would show. Throws NotFound as Docker does for a repository that Docker Hub will not show.
 */
export async function pullImage(
  parts: PullParts,
  name: string,
  tag: string,
  platform: string,
): Promise<PullProgress[]> {
  const base = parseReference(name);
  checkPlatform(platform);
  if (tag === '' && base.tag === undefined && base.digest === undefined) return pullAllTags(parts, base);
  const reference = withDefaultTag(tag === '' ? base : withTag(base, tag));
  const entry = parts.catalogue.resolve(fullReference(reference));
  if (!entry) throw notThere(parts.catalogue, reference);
  return pullOne(parts, reference, entry);
}

function withTag(base: Reference, tag: string): Reference {
  const separator = /^[A-Za-z0-9_+.-]+:[0-9a-fA-F]{32,}$/.test(tag) ? '@' : ':';
  return parseReference(`${repositoryName(base)}${separator}${tag}`);
}

function checkPlatform(platform: string): void {
  if (platform === '') return;
  const [os, architecture] = platform.includes('/') ? platform.split('/') : ['linux', platform];
  const own = GO_ARCHITECTURE[process.arch];
  if (os === 'linux' && (architecture === own || architecture === undefined)) return;
  if (!/^[a-z0-9_]+(\/[a-z0-9_]+){0,2}$/.test(platform)) {
    throw new InvalidParameter(`"${platform}": unknown operating system or architecture: invalid argument`);
  }
  throw new NotFound(`no matching manifest for ${platform} in the manifest list entries`);
}

/** Docker Hub does not tell a private repository from none; a repository that is there lacks the tag. */
function notThere(catalogue: Catalogue, reference: Reference): NotFound {
  const repository = repositoryName(reference);
  const isKnown = catalogue.list().some((entry) => entry.references.some((each) => isOf(each, repository)));
  if (isKnown)
    return new NotFound(
      `manifest for ${familiarReference(reference)} not found: manifest unknown: manifest unknown`,
    );
  return new NotFound(
    `pull access denied for ${familiarName(reference)}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
  );
}

function isOf(fullName: string, repository: string): boolean {
  return repositoryName(parseReference(fullName)) === repository;
}

async function pullAllTags(parts: PullParts, base: Reference): Promise<PullProgress[]> {
  const repository = repositoryName(base);
  const tagged = parts.catalogue
    .list()
    .flatMap((entry) =>
      entry.references.filter((each) => isOf(each, repository)).map((each) => ({ entry, each })),
    );
  if (tagged.length === 0) throw notThere(parts.catalogue, base);
  const lines: PullProgress[] = [];
  for (const { entry, each } of tagged) lines.push(...(await pullOne(parts, parseReference(each), entry)));
  return lines;
}

async function pullOne(
  parts: PullParts,
  reference: Reference,
  entry: CatalogueEntry,
): Promise<PullProgress[]> {
  const { images, events } = parts;
  const digested = fullReference({
    domain: reference.domain,
    path: reference.path,
    digest: entry.manifestDigest,
  });
  const name = fullReference(reference);
  const present = new Set(images.list().flatMap((image) => image.layers.map((layer) => layer.digest)));
  const isUpToDate = images.byReference(reference)?.id === entry.id;
  if (!isUpToDate) await images.addReferences(entry.id, [name, digested]);
  events.publish('image', 'pull', familiarReference(reference), {
    ...entry.config.config?.Labels,
    name: familiarName(reference),
  });
  const familiar = familiarReference(reference);
  return [
    { status: `Pulling from ${reference.path}`, id: reference.tag ?? reference.digest ?? 'latest' },
    ...entry.layers.flatMap((layer) => layerLines(layer.digest, present.has(layer.digest))),
    { status: `Digest: ${entry.manifestDigest}` },
    {
      status: `Status: ${isUpToDate ? 'Image is up to date' : 'Downloaded newer image'} for ${familiar}`,
    },
  ];
}

function layerLines(digest: string, isPresent: boolean): PullProgress[] {
  const id = digest.slice('sha256:'.length, 'sha256:'.length + 12);
  const states = isPresent ? ['Already exists'] : ['Pulling fs layer', 'Download complete', 'Pull complete'];
  return states.map((status) => ({ status, progressDetail: {}, id }));
}

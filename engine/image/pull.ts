// docker pull: an image becomes the sandbox's, from the catalogue (its layers are there already) or from a registry.

import type { ContainerParts } from '../container/parts.ts';
import { NotFound } from '../errors.ts';
import type { Credentials } from '../registry/credentials.ts';
import { Unreachable } from '../registry/network.ts';
import type { Registries } from '../registry/registries.ts';
import type { Catalogue, CatalogueEntry } from './catalogue.ts';
import { matchesPlatform, type Platform, parsePlatform, showPlatform } from './manifest.ts';
import type { ProgressLine, Report } from './progress.ts';
import { accessDenied, pullAllFromRegistry, pullFromRegistry } from './pull-registry.ts';
import {
  familiarName,
  familiarReference,
  fullReference,
  parseReference,
  type Reference,
  repositoryName,
  withDefaultTag,
} from './reference.ts';
import type { SharedStore } from './shared-store.ts';

export { GO_ARCHITECTURE } from './manifest.ts';

/** Where images come from. */
export interface ImageSources {
  catalogue: Catalogue;
  registries: Registries;
  shared: SharedStore;
}

export interface PullRequest {
  name: string;
  /** a tag or a digest; '' is every tag, unless the name has one */
  tag: string;
  /** `os/architecture[/variant]`; '' is this machine's */
  platform: string;
  credentials: Credentials;
  report: Report;
  signal: AbortSignal;
}

/** Pulls what the request says; throws NotFound as Docker does for a repository that Docker Hub will not show. */
export async function pullImage(
  parts: ContainerParts,
  sources: ImageSources,
  request: PullRequest,
): Promise<void> {
  const base = parseReference(request.name);
  const platform = parsePlatform(request.platform);
  const { catalogue } = sources;
  const isEveryTag = request.tag === '' && base.tag === undefined && base.digest === undefined;
  if (isEveryTag) {
    if (isKnown(catalogue, base)) await pullAllTags(parts, catalogue, base, platform, request.report);
    else await pullAllFromRegistry(parts, sources, base, platform, request);
    return;
  }
  const reference = withDefaultTag(request.tag === '' ? base : withTag(base, request.tag));
  const entry = catalogue.resolve(fullReference(reference));
  const bundled = entry && matchesPlatform(platform, entry.config) ? entry : undefined;
  const fromCatalogue = async (found: CatalogueEntry) => {
    for (const line of await pullOne(parts, reference, found)) request.report(line);
  };
  if (bundled && !sources.registries.prefersOfficial) return fromCatalogue(bundled);
  try {
    await pullFromRegistry(parts, sources, reference, platform, request);
  } catch (error) {
    if (!(error instanceof Unreachable) || reference.domain !== 'docker.io') throw error;
    // Docker Hub cannot be reached: the catalogue is all there is of it
    if (bundled) return fromCatalogue(bundled);
    if (entry)
      throw new NotFound(`no matching manifest for ${showPlatform(platform)} in the manifest list entries`);
    throw notThere(catalogue, reference);
  }
}

function withTag(base: Reference, tag: string): Reference {
  const separator = /^[A-Za-z0-9_+.-]+:[0-9a-fA-F]{32,}$/.test(tag) ? '@' : ':';
  return parseReference(`${repositoryName(base)}${separator}${tag}`);
}

/** Docker Hub does not tell a private repository from none; a repository that is there lacks the tag. */
function notThere(catalogue: Catalogue, reference: Reference): NotFound {
  if (!isKnown(catalogue, reference)) return accessDenied(reference);
  return new NotFound(
    `manifest for ${familiarReference(reference)} not found: manifest unknown: manifest unknown`,
  );
}

/** The catalogue has something of this repository. */
function isKnown(catalogue: Catalogue, reference: Reference): boolean {
  const repository = repositoryName(reference);
  return catalogue.list().some((entry) => entry.references.some((each) => isOf(each, repository)));
}

function isOf(fullName: string, repository: string): boolean {
  return repositoryName(parseReference(fullName)) === repository;
}

async function pullAllTags(
  parts: ContainerParts,
  catalogue: Catalogue,
  base: Reference,
  platform: Platform,
  report: Report,
): Promise<void> {
  const repository = repositoryName(base);
  const tagged = catalogue
    .list()
    .filter((entry) => matchesPlatform(platform, entry.config))
    .flatMap((entry) =>
      entry.references.filter((each) => isOf(each, repository)).map((each) => ({ entry, each })),
    );
  for (const { entry, each } of tagged) {
    for (const line of await pullOne(parts, parseReference(each), entry)) report(line);
  }
}

async function pullOne(
  parts: ContainerParts,
  reference: Reference,
  entry: CatalogueEntry,
): Promise<ProgressLine[]> {
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

function layerLines(digest: string, isPresent: boolean): ProgressLine[] {
  const id = digest.slice('sha256:'.length, 'sha256:'.length + 12);
  const states = isPresent ? ['Already exists'] : ['Pulling fs layer', 'Download complete', 'Pull complete'];
  return states.map((status) => ({ status, progressDetail: {}, id }));
}

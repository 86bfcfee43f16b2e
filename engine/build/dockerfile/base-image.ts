// What stages begin with: images, named contexts, nothing.

import { messageOf } from '../../errors.ts';
import type { OciImageConfig } from '../../image/oci-image.ts';
import { familiarReference, normalizeReference, parseReference } from '../../image/reference.ts';
import type { BuildRequest } from '../build.ts';
import { BuildError } from '../error.ts';
import type { DraftGraph } from './draft.ts';
import { quote } from './go-text.ts';
import { includePatterns } from './include-patterns.ts';
import { runInternalStep } from './internal-step.ts';
import { loadIgnoreFile } from './load.ts';
import { locate } from './locate.ts';
import { formatPlatform, type Platform } from './platform.ts';
import type { StageState } from './stage-state.ts';
import type { Stages } from './stages.ts';
import { withSuggestion } from './suggest.ts';

/** An image as the store or a registry knows it. */
export interface ResolvedImage {
  readonly imageId: string;
  readonly config: OciImageConfig;
  /** `sha256:…` of its manifest where it came from a registry: shown behind the name */
  readonly digest?: string;
}

/**
 * Finds a base image by its full reference (`docker.io/library/debian:trixie`), pulling it where that is possible.
 * Throws NotFound and the like in Docker's words.
 */
export type ResolveImage = (
  reference: string,
  options: { platform: string; pulls: boolean; signal: AbortSignal },
) => Promise<ResolvedImage>;

export interface BaseImages {
  /** Gives every stage that has no base of its own its first file system, where it is needed. */
  resolve(needed: ReadonlySet<StageState>): Promise<void>;
}

interface ResolverOptions {
  readonly request: BuildRequest;
  readonly graph: DraftGraph;
  readonly stages: Stages;
  /** what the build is for */
  readonly platform: Platform;
  readonly resolveImage: ResolveImage;
}

type NamedContext = { name: string } & (
  | { kind: 'image'; reference: string }
  | { kind: 'local'; contextName: string }
);

/** Images that are commonly meant when a name is misspelt. */
const COMMON_IMAGES = ['alpine', 'busybox', 'centos', 'debian', 'golang', 'ubuntu', 'fedora'];

export function baseResolver(options: ResolverOptions): BaseImages {
  const images = new Map<string, Promise<ResolvedImage>>();
  return {
    async resolve(needed) {
      const waiting: StageState[] = [];
      for (const state of options.stages.all) {
        if (state.base !== undefined || state.isResolved) continue;
        const isNeeded = needed.has(state);
        state.isResolved = isNeeded;
        if (isNeeded) waiting.push(state);
        else checkName(state, options);
      }
      await Promise.all(waiting.map((state) => resolveOne(state, options, images)));
    },
  };
}

/** Also the base of a stage that is not needed must have a valid name. */
function checkName(state: StageState, options: ResolverOptions): void {
  if (state.baseName === 'scratch' || contextFor(state, options) !== undefined) return;
  try {
    fullName(state.baseName);
  } catch (error) {
    throw locate(error, state.source);
  }
}

async function resolveOne(
  state: StageState,
  options: ResolverOptions,
  images: Map<string, Promise<ResolvedImage>>,
): Promise<void> {
  try {
    const context = contextFor(state, options);
    const platform = state.platform ?? options.platform;
    state.platform = platform;
    if (context?.kind === 'local') await useLocal(state, context, options);
    else if (context !== undefined) await useImage(state, context, platform, options, images);
    else if (state.baseName !== 'scratch') await useImage(state, undefined, platform, options, images);
    if (state.isImplicit) state.isApplied = true;
  } catch (error) {
    throw locate(error, state.source);
  }
}

function fullName(name: string): string {
  try {
    return normalizeReference(name);
  } catch (error) {
    throw new BuildError(`failed to parse stage name ${quote(name)}: ${messageOf(error)}`);
  }
}

/** The named context (--build-context) that takes the place of a stage, or of its base. */
function contextFor(state: StageState, { request, platform }: ResolverOptions): NamedContext | undefined {
  if (request.namedContexts.size === 0) return undefined;
  for (const written of [state.givenName, state.baseName]) {
    if (written === '' || /^(?:scratch|context)$/i.test(written)) continue;
    const name = contextKey(written);
    for (const key of [`${name}::${formatPlatform(state.platform ?? platform)}`, name]) {
      const context = request.namedContexts.get(key);
      if (context?.kind === 'image') return { name: key, ...context };
      if (context?.kind === 'local') return { name: key, kind: 'local', contextName: context.name };
    }
  }
  return undefined;
}

function contextKey(name: string): string {
  try {
    return familiarReference(parseReference(name)).replace(/:latest$/, '');
  } catch {
    throw new BuildError(`invalid context name ${name}`);
  }
}

async function useLocal(
  state: StageState,
  { name, contextName }: Extract<NamedContext, { kind: 'local' }>,
  { request, graph }: ResolverOptions,
): Promise<void> {
  const excludePatterns = await loadIgnoreFile(request, contextName, `[context ${name}] load .dockerignore`);
  state.root = graph.add({
    name: `[context ${name}] load from client`,
    operation: () => ({
      kind: 'local',
      name: contextName,
      includePatterns: includePatterns(state.paths),
      excludePatterns,
    }),
    inputs: [],
    ignoresCache: false,
    source: state.source,
  });
}

async function useImage(
  state: StageState,
  context: Extract<NamedContext, { kind: 'image' }> | undefined,
  platform: Platform,
  { request, graph, stages, resolveImage }: ResolverOptions,
  images: Map<string, Promise<ResolvedImage>>,
): Promise<void> {
  const written = context?.reference ?? state.baseName;
  if (written === 'scratch') return;
  const reference = fullName(written);
  const key = `${reference}\n${formatPlatform(platform)}`;
  const prefix = context === undefined ? '[internal]' : `[context ${context.name}]`;
  let pending = images.get(key);
  if (pending === undefined) {
    pending = runInternalStep(request, `${prefix} load metadata for ${reference}`, () =>
      resolveImage(reference, {
        platform: formatPlatform(platform),
        pulls: request.pulls,
        signal: request.signal,
      }),
    );
    images.set(key, pending);
  }
  let image: ResolvedImage;
  try {
    image = await pending;
  } catch (error) {
    throw new BuildError(
      withSuggestion(
        `${written}: failed to resolve source metadata for ${reference}: ${messageOf(error)}`,
        written,
        [...stages.names, ...COMMON_IMAGES],
      ),
      state.source,
      { cause: error },
    );
  }
  takeImage(state, image);
  const shown = image.digest === undefined ? reference : `${reference.replace(/@.*/, '')}@${image.digest}`;
  if (image.config.rootfs.diff_ids.length === 0) return;
  state.root = graph.add({
    name:
      context === undefined ? state.stepName(`FROM ${shown}`, false) : `[context ${context.name}] ${shown}`,
    operation: { kind: 'image', reference, imageId: image.imageId },
    inputs: [],
    ignoresCache: false,
    source: state.source,
  });
}

/** The stage's image goes on from the base's. */
function takeImage(state: StageState, { config }: ResolvedImage): void {
  state.image = {
    architecture: config.architecture,
    os: config.os,
    variant: config.variant ?? '',
    author: config.author ?? '',
    config: structuredClone(config.config ?? {}),
    history: (config.history ?? []).map((entry) => ({
      createdBy: entry.created_by ?? '',
      comment: entry.comment ?? '',
      isEmptyLayer: entry.empty_layer ?? false,
      ...(entry.created === undefined ? {} : { created: entry.created }),
      ...(entry.author === undefined ? {} : { author: entry.author }),
    })),
  };
}

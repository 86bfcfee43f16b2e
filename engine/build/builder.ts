// The builder of a sandbox: plans a Dockerfile, solves the graph, and exports what comes of it.

import type { ContainerParts } from '../container/parts.ts';
import { NotFound } from '../errors.ts';
import { layerLocation } from '../image/layer.ts';
import { matchesPlatform, parsePlatform } from '../image/manifest.ts';
import { type ImageSources, pullImage } from '../image/pull.ts';
import { parseReference } from '../image/reference.ts';
import { NO_CREDENTIALS } from '../registry/credentials.ts';
import type { Builder, BuildRequest, BuildResult, CacheRecord, PruneOptions } from './build.ts';
import type { ResolveImage } from './dockerfile/base-image.ts';
import { checkDockerfile, planDockerfile } from './dockerfile/plan.ts';
import { Executor } from './execute/executor.ts';
import { layersOnDisk, reconcileSteps } from './execute/reconcile.ts';
import { EMPTY, type StepLayer } from './execute/snapshot.ts';
import { Exporter } from './export/exporter.ts';
import { BuildCache } from './solve/cache.ts';
import { CACHE_AGE, CACHE_SHARE } from './solve/limits.ts';
import { buildDirectory } from './solve/record.ts';
import { Solver } from './solve/solver.ts';
import { cacheUsage, collectGarbage, pruneCache } from './solve/usage.ts';

/** A sandbox's builder, and the layers that its cache needs. */
export interface SandboxBuilder extends Builder {
  /** directory names of private layers, as records of containers have them */
  layersInUse(): readonly string[];
}

/** Opens it; half-done work of an engine before this one is taken away. */
export async function openBuilder(parts: ContainerParts, sources: ImageSources): Promise<SandboxBuilder> {
  const executor = new Executor(parts, sources.catalogue);
  const { init, stateDir } = parts.sandbox;
  const cache = await BuildCache.open(stateDir, init, parts.log);
  const exporter = new Exporter(executor.parts, sources.catalogue);
  const onDisk = new Set(await layersOnDisk(parts));
  await cache.forgetUnless((layer) => isThere(parts, onDisk, layer));
  await reconcileSteps(parts, cache.layerIds(), onDisk);
  const solver = new Solver({ executor, cache });
  const resolver = (request: BuildRequest): ResolveImage => resolveImage(parts, sources, request);
  const limits = { bytes: parts.sandbox.limits.disk * CACHE_SHARE, ageMs: CACHE_AGE };
  const tidyUp = () =>
    collectGarbage(cache, init, limits).catch((error: unknown) =>
      parts.log.warn({ err: error }, 'the build cache is not tidied up'),
    );
  return {
    build: (request: BuildRequest): Promise<BuildResult> =>
      exporter.during(async () => {
        const plan = await planDockerfile(request, resolver(request));
        const solved = plan.root ? await solver.solve(plan.root, request) : undefined;
        try {
          const snapshot = solved?.result.kind === 'files' ? solved.result.snapshot : EMPTY;
          return await exporter.export({ plan, snapshot, request });
        } finally {
          await solved?.release();
          // layers have moved, and results were used
          await cache.flush();
          void tidyUp();
        }
      }),
    check: (request) => checkDockerfile(request, resolver(request)),
    usage: () => cacheUsage(cache, init),
    prune: async (options: PruneOptions): Promise<readonly CacheRecord[]> => {
      const removed = await pruneCache(cache, init, options);
      await parts.layers.collect();
      return removed;
    },
    layersInUse: () => [...cache.usedLayers()],
  };
}

/** Whether a layer that the cache knows is still where it was. */
function isThere({ images }: ContainerParts, onDisk: ReadonlySet<string>, layer: StepLayer): boolean {
  const own = buildDirectory(layer);
  if (own !== undefined) return onDisk.has(own.slice('buildkit/'.length));
  const known = layer.diffId === undefined ? undefined : images.layer(layer.diffId);
  return known !== undefined && layerLocation(known.dirName) === layer.location;
}

/** A base image: the sandbox's own under that name, else the catalogue's, else a registry's. */
function resolveImage(parts: ContainerParts, sources: ImageSources, request: BuildRequest): ResolveImage {
  return async (name, { platform, pulls, signal }) => {
    const reference = parseReference(name);
    const wanted = parsePlatform(platform);
    const own = pulls ? undefined : parts.images.byReference(reference);
    if (own && matchesPlatform(wanted, own.config)) return { imageId: own.id, config: own.config };
    const shared = sources.catalogue.resolve(name);
    if (shared && matchesPlatform(wanted, shared.config))
      return { imageId: shared.id, config: shared.config, digest: shared.manifestDigest };
    const found = await request.client.credentials(reference.domain, signal);
    const credentials = found
      ? { ...NO_CREDENTIALS, username: found.username, password: found.secret }
      : NO_CREDENTIALS;
    await pullImage(parts, sources, {
      name,
      tag: '',
      platform,
      credentials,
      report: () => undefined,
      signal,
    });
    const pulled = parts.images.byReference(reference);
    if (!pulled) throw new NotFound(`${name}: not found`);
    return { imageId: pulled.id, config: pulled.config };
  };
}

// The builder of a sandbox: plans a Dockerfile, solves the graph, and exports what comes of it.

import type { ContainerParts } from '../container/parts.ts';
import { NotFound } from '../errors.ts';
import { type ImageSources, pullImage } from '../image/pull.ts';
import { parseReference } from '../image/reference.ts';
import { NO_CREDENTIALS } from '../registry/credentials.ts';
import type { Builder, BuildRequest, BuildResult, CacheRecord, PruneOptions } from './build.ts';
import type { ResolveImage } from './dockerfile/base-image.ts';
import { checkDockerfile, planDockerfile } from './dockerfile/plan.ts';
import { Executor } from './execute/executor.ts';
import { reconcileSteps } from './execute/reconcile.ts';
import { EMPTY } from './execute/snapshot.ts';
import { Exporter } from './export/exporter.ts';
import { StepCache } from './solve/cache.ts';
import { Solver } from './solve/solver.ts';

/** A sandbox's builder, and the layers that its cache needs. */
export interface SandboxBuilder extends Builder {
  /** directory names of private layers, as records of containers have them */
  layersInUse(): readonly string[];
}

/** Opens it; half-done work of an engine before this one is taken away. */
export async function openBuilder(parts: ContainerParts, sources: ImageSources): Promise<SandboxBuilder> {
  const executor = new Executor(parts, sources.catalogue);
  const exporter = new Exporter(executor.parts, sources.catalogue);
  const cache = new StepCache();
  await reconcileSteps(parts, new Set());
  const resolver = (request: BuildRequest): ResolveImage => resolveImage(parts, sources, request);
  return {
    build: (request: BuildRequest): Promise<BuildResult> =>
      exporter.during(async () => {
        const plan = await planDockerfile(request, resolver(request));
        const solver = new Solver(executor, cache, request);
        try {
          const result = plan.root ? await solver.solve(plan.root) : undefined;
          const snapshot = result?.kind === 'files' ? result.snapshot : EMPTY;
          return await exporter.export({ plan, snapshot, request });
        } finally {
          await solver.dispose();
        }
      }),
    check: (request) => checkDockerfile(request, resolver(request)),
    async usage(): Promise<readonly CacheRecord[]> {
      return cache.steps().map(describeStep);
    },
    async prune(_options: PruneOptions): Promise<readonly CacheRecord[]> {
      return [];
    },
    layersInUse: () =>
      cache.steps().flatMap(({ snapshot }) => snapshot.layers.map(({ location }) => location)),
  };
}

function describeStep({ key, vertex, snapshot }: ReturnType<StepCache['steps']>[number]): CacheRecord {
  const layer = snapshot.layers.at(-1);
  return {
    id: key.slice('sha256:'.length, 'sha256:'.length + 25),
    parents: [],
    type: 'regular',
    description: vertex.name,
    isInUse: false,
    isShared: layer?.diffId !== undefined,
    size: layer?.size ?? 0,
    createdAt: layer?.created ?? new Date().toISOString(),
    lastUsedAt: undefined,
    usageCount: 1,
  };
}

/** A base image: the sandbox's own under that name, else the catalogue's, else a registry's. */
function resolveImage(parts: ContainerParts, sources: ImageSources, request: BuildRequest): ResolveImage {
  return async (name, { platform, pulls, signal }) => {
    const reference = parseReference(name);
    const own = pulls ? undefined : parts.images.byReference(reference);
    if (own) return { imageId: own.id, config: own.config };
    const shared = sources.catalogue.resolve(name);
    if (shared) return { imageId: shared.id, config: shared.config, digest: shared.manifestDigest };
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

// Solve: from what a BuildKit client asks for to a request of the builder, and back.

import { randomBytes } from 'node:crypto';
import { InvalidParameter, NotImplemented } from '../../errors.ts';
import type { BuildOutput, BuildRequest } from '../build.ts';
import type { BuildClient } from '../context.ts';
import { runBuild } from '../feed.ts';
import { Code, GrpcError } from '../grpc/status.ts';
import type { BuildFronts } from '../parts.ts';
import type { Value } from '../proto/message.ts';
import { SessionClient } from '../session/client.ts';
import { UploadClient } from '../session/upload.ts';
import type { RunningBuild } from './builds.ts';
import { describeFailure } from './errors.ts';
import type { Definition, SolveRequest } from './messages.ts';
import { readOptions } from './options.ts';
import { chooseOutput, exporterResponse } from './outputs.ts';

const FRONTEND = 'dockerfile.v0';
/** Images of the Dockerfile front end: Berth's own speaks their language. */
const FRONTEND_IMAGES = /^(docker\.io\/)?docker\/dockerfile(-upstream)?([:@]|$)/;

/** Control.Solve: builds at once, or waits for the client's callback to say what (gateway). */
export async function solve(
  fronts: BuildFronts,
  request: Value<typeof SolveRequest>,
  callSignal: AbortSignal,
): Promise<{ exporterResponse: Map<string, string> }> {
  const build = fronts.builds.begin(request.ref, request);
  const signal = AbortSignal.any([callSignal, build.signal]);
  try {
    refuseCacheExports(request);
    if (request.frontend !== '') {
      checkFrontend(request.frontend, request.frontendAttrs);
      return await buildDockerfile(fronts, build, request.frontendAttrs, signal);
    }
    if (isDefined(request.definition)) throw noGraphs();
    const returned = await whenReturned(build, signal);
    if (returned.kind === 'error') throw returned.error;
    const result = build.results.get(returned.id);
    // a client that only asked what can be done, or that printed the answer to a subrequest
    if (!result || result.frontendOpt.has('requestid')) return { exporterResponse: new Map() };
    return await buildDockerfile(fronts, build, result.frontendOpt, signal);
  } catch (error) {
    throw describeFailure(error);
  } finally {
    fronts.builds.end(build);
  }
}

function whenReturned(build: RunningBuild, signal: AbortSignal) {
  return new Promise<Awaited<typeof build.returned.promise>>((resolve, reject) => {
    const abort = () => reject(signal.reason ?? new GrpcError(Code.CANCELLED, 'context canceled'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    build.returned.promise.then((returned) => {
      signal.removeEventListener('abort', abort);
      resolve(returned);
    });
  });
}

async function buildDockerfile(
  fronts: BuildFronts,
  build: RunningBuild,
  options: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<{ exporterResponse: Map<string, string> }> {
  const { session } = await build.solve.promise;
  const openSession = (until: AbortSignal) => fronts.sessions.get(session, until);
  const output = chooseOutput(await build.solve.promise, openSession, signal);
  const prepared = await prepare(fronts, build, options, output, signal);
  try {
    tellIgnoredCaches(build, options);
    const result = await runBuild(fronts.builder, fronts.feed, prepared.request);
    return { exporterResponse: exporterResponse(output, result) };
  } finally {
    await prepared.dispose();
  }
}

/** A request of the builder from the options of the Dockerfile front end. Dispose ends the use of its context. */
export async function prepare(
  fronts: BuildFronts,
  build: RunningBuild,
  options: ReadonlyMap<string, string>,
  output: BuildOutput,
  signal: AbortSignal,
): Promise<{ request: BuildRequest; dispose(): Promise<void> }> {
  const { session } = await build.solve.promise;
  const { upload, ...read } = readOptions(options);
  const openSession = (until: AbortSignal) => fronts.sessions.get(session, until);
  const own = new SessionClient(openSession, fronts.contexts, signal);
  const uploaded =
    upload === undefined
      ? undefined
      : new UploadClient(own, openSession, fronts.contexts, { id: upload, name: read.contextName }, signal);
  const client: BuildClient = uploaded ?? own;
  return {
    request: { ...read, id: build.ref, client, output, onProgress: build.log.add, signal },
    dispose: async () => uploaded?.dispose(),
  };
}

/** Throws for what is not a Dockerfile. */
export function checkFrontend(frontend: string, options: ReadonlyMap<string, string>): void {
  if (frontend === FRONTEND) return;
  const source = options.get('source') ?? '';
  if (frontend === 'gateway.v0' && FRONTEND_IMAGES.test(source)) return;
  const name = frontend === 'gateway.v0' ? source : frontend;
  throw new NotImplemented(
    `the build frontend ${name.slice(0, 200)} is not supported by Berth, which builds Dockerfiles`,
  );
}

export function isDefined(definition: Value<typeof Definition> | undefined): boolean {
  return (definition?.def.length ?? 0) > 0;
}

export function noGraphs(): NotImplemented {
  return new NotImplemented('building from LLB is not supported by Berth, which builds Dockerfiles');
}

/** `--cache-to`: what is not written must not seem to be. */
function refuseCacheExports({ cache }: Value<typeof SolveRequest>): void {
  const [first] = cache?.exports ?? [];
  if (!first) return;
  throw new NotImplemented(
    `exporting the build cache (${first.type.slice(0, 50)}) is not supported by Berth: builds of one lab host share theirs`,
  );
}

/** `--cache-from`: a cache that cannot be read is told and costs nothing else, as in BuildKit. */
function tellIgnoredCaches(build: RunningBuild, options: ReadonlyMap<string, string>): void {
  for (const reference of cacheImports(options.get('cache-imports') ?? '')) {
    const now = BigInt(Date.now()) * 1_000_000n;
    build.log.add({
      type: 'vertex',
      digest: `sha256:${randomBytes(32).toString('hex')}`,
      inputs: [],
      name: `importing cache manifest from ${reference}`,
      isCached: false,
      started: now,
      completed: now,
      error: 'build caches of other builders are not supported by Berth',
    });
  }
}

function cacheImports(json: string): string[] {
  if (json === '') return [];
  try {
    const list: unknown = JSON.parse(json);
    if (!Array.isArray(list)) throw new Error('no list');
    return list.slice(0, 20).map((each) => {
      const { Type: type, Attrs: attrs } = each ?? {};
      const name = typeof attrs === 'object' && attrs !== null ? (attrs.ref ?? attrs.src) : undefined;
      return String(name ?? type).slice(0, 200);
    });
  } catch (error) {
    throw new InvalidParameter('failed to unmarshal cache imports', { cause: error });
  }
}

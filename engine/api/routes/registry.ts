// Registries: docker login, push, search, manifest inspect.

import { InvalidParameter } from '../../errors.ts';
import { Filters } from '../../events/filters.ts';
import type { ExecParts } from '../../exec/parts.ts';
import { inspectDistribution } from '../../image/distribution.ts';
import { logIn } from '../../image/login.ts';
import type { ImageSources } from '../../image/pull.ts';
import { pushImage } from '../../image/push.ts';
import { SEARCH_FILTERS, searchImages } from '../../image/search.ts';
import { Credentials, decodeRegistryAuth } from '../../registry/credentials.ts';
import type { Call } from '../call.ts';
import { withProgress } from '../progress.ts';
import { type Route, route } from '../router.ts';

const MAX_RESULTS = 100;
const DEFAULT_RESULTS = 25;

export function registryRoutes(parts: ExecParts, sources: ImageSources): Route[] {
  const { registries } = sources;
  return [
    route('POST', '/auth', async (call) => {
      const credentials = await call.json(Credentials);
      call.send(200, await logIn(parts.sandbox.init, registries, credentials, call.signal));
    }),
    route('POST', '/images/{name...}/push', (call) => push(parts, sources, call)),
    route('GET', '/distribution/{name...}/json', async (call) => {
      const credentials = decodeRegistryAuth(call.header('x-registry-auth'));
      const name = call.param('name');
      call.send(200, await inspectDistribution(parts, sources, name, credentials, call.signal));
    }),
    route('GET', '/images/search', async (call) => {
      const limit = call.integer('limit') ?? DEFAULT_RESULTS;
      if (limit < 1 || limit > MAX_RESULTS) {
        throw new InvalidParameter(`limit ${limit} is outside the range of [1, ${MAX_RESULTS}]`);
      }
      const filters = Filters.parse(call.query.get('filters'), SEARCH_FILTERS);
      const term = call.text('term');
      call.send(200, await searchImages(parts.sandbox.init, sources, { term, limit, filters }, call.signal));
    }),
  ];
}

async function push(parts: ExecParts, sources: ImageSources, call: Call): Promise<void> {
  const credentials = decodeRegistryAuth(call.header('x-registry-auth'));
  await withProgress(call, parts.log, (report) =>
    pushImage(parts, sources, {
      name: call.param('name'),
      tag: call.text('tag'),
      credentials,
      report,
      signal: call.signal,
    }),
  );
}

// /build: builds of clients without BuildKit, and the build cache.

import { buildClassic } from '../../build/classic/build.ts';
import type { ClassicLine } from '../../build/classic/output.ts';
import { readClassicRequest } from '../../build/classic/request.ts';
import type { BuildFronts } from '../../build/parts.ts';
import { pruneBuilds } from '../../build/usage.ts';
import { InvalidParameter } from '../../errors.ts';
import { Filters } from '../../events/filters.ts';
import { decodeRegistryConfig } from '../../registry/credentials.ts';
import type { Call } from '../call.ts';
import { type Route, route } from '../router.ts';

/** What a client that does not read leaves unsent, before its build is ended. */
const MAX_UNSENT = 64 * 2 ** 20;

export function buildRoutes(fronts: BuildFronts): Route[] {
  return [
    route('POST', '/build', (call) => build(fronts, call)),
    route('POST', '/build/cancel', (call) => {
      const id = call.text('id');
      if (id === '') throw new InvalidParameter('build ID not provided');
      fronts.classic.get(id)?.();
      call.empty(200);
    }),
    route('POST', '/build/prune', (call) => prune(fronts, call)),
  ];
}

async function build(fronts: BuildFronts, call: Call): Promise<void> {
  const request = readClassicRequest(call.query);
  const header = call.req.headers['x-registry-config'];
  const accounts = decodeRegistryConfig(typeof header === 'string' ? header : '');
  const { res } = call;
  const write = (line: ClassicLine) => {
    if (!res.headersSent) call.stream(200, 'application/json');
    if (res.writableLength > MAX_UNSENT) res.destroy();
    else if (!res.destroyed) res.write(`${JSON.stringify(line)}\r\n`);
  };
  await buildClassic(fronts, { request, body: call.req, accounts, write, signal: call.signal });
  res.end();
}

const FILTERS = ['description', 'id', 'inuse', 'parent', 'private', 'shared', 'type', 'unused-for', 'until'];

async function prune(fronts: BuildFronts, call: Call): Promise<void> {
  const filters = Filters.parse(call.query.get('filters'), FILTERS);
  const until = filters.get('until')[0] ?? filters.get('unused-for')[0] ?? '';
  const names = FILTERS.filter(
    (name) => !['until', 'unused-for'].includes(name) && filters.get(name).length > 0,
  );
  const removed = await pruneBuilds(fronts, {
    all: call.flag('all'),
    keepBytes: call.integer('reserved-space') ?? call.integer('keep-storage') ?? 0,
    unusedForMs: until === '' ? 0 : duration(until),
    filters: new Map(names.map((name) => [name, filters.get(name)])),
  });
  const bytes = removed.reduce((sum, { size, isShared }) => sum + (isShared ? 0 : size), 0);
  call.send(200, {
    CachesDeleted: removed.length > 0 ? removed.map(({ id }) => id) : null,
    SpaceReclaimed: bytes,
  });
}

const UNITS: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Go's durations: `24h`, `1h30m`. */
function duration(text: string): number {
  if (!/^(\d{1,9}(\.\d{1,9})?(ms|h|m|s))+$/.test(text)) {
    throw new InvalidParameter(`invalid filter 'until=${text.slice(0, 50)}'`);
  }
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ms|h|m|s)/g))
    sum += Number(amount) * (UNITS[unit ?? ''] ?? 0);
  return sum;
}

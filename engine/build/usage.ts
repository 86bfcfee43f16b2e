// What builds keep on a sandbox's disk: the builder's cache, and files of clients that the next build need not send again.

import { InvalidParameter } from '../errors.ts';
import type { CacheRecord, PruneOptions } from './build.ts';
import type { KeptContext } from './contexts/store.ts';
import type { BuildFronts } from './parts.ts';

/** Everything, as records of the cache. */
export async function buildUsage({ builder, contexts }: BuildFronts): Promise<CacheRecord[]> {
  return [...(await builder.usage()), ...contexts.usage().map(describeContext)];
}

/** Removes what is not in use and fits the options; what was removed. */
export async function pruneBuilds(fronts: BuildFronts, options: PruneOptions): Promise<CacheRecord[]> {
  const removed = [...(await fronts.builder.prune(options))];
  const types = options.filters.get('type') ?? [];
  const isMeant = types.length === 0 ? options.filters.size === 0 : types.includes('source.local');
  if (!isMeant || options.keepBytes > 0) return removed;
  return [...removed, ...(await fronts.contexts.prune(options.unusedForMs)).map(describeContext)];
}

function describeContext({ id, name, size, created, lastUsed, uses }: KeptContext): CacheRecord {
  return {
    id,
    parents: [],
    type: 'source.local',
    description: `local source for ${name}`,
    isInUse: false,
    isShared: false,
    size,
    createdAt: new Date(created).toISOString(),
    lastUsedAt: new Date(lastUsed).toISOString(),
    usageCount: uses,
  };
}

const FILTERS = [
  'description',
  'id',
  'inuse',
  'mutable',
  'parent',
  'parents',
  'private',
  'shared',
  'type',
  'until',
];

/** Filters as BuildKit's clients write them: `type==regular`, `id~=abc`, several of them joined by commas. */
export function readFilters(lines: readonly string[]): Map<string, string[]> {
  const filters = new Map<string, string[]>();
  for (const part of lines.flatMap((line) => line.split(',')).filter((each) => each.trim() !== '')) {
    const [, name = '', value = 'true'] = /^([a-z]+)(?:(?:==|~=|=)(.*))?$/.exec(part.trim()) ?? [];
    if (!FILTERS.includes(name)) throw new InvalidParameter(`invalid filter "${part.slice(0, 200)}"`);
    filters.set(name, [...(filters.get(name) ?? []), value.replace(/^"(.*)"$/, '$1')]);
  }
  return filters;
}

/** One record of the cache as `/system/df` lists it. */
export function describeCacheRecord(record: CacheRecord): Record<string, unknown> {
  return {
    ID: record.id,
    ...(record.parents.length > 0 ? { Parents: record.parents } : {}),
    Type: record.type,
    Description: record.description,
    InUse: record.isInUse,
    Shared: record.isShared,
    Size: record.size,
    CreatedAt: record.createdAt,
    LastUsedAt: record.lastUsedAt ?? null,
    UsageCount: record.usageCount,
  };
}

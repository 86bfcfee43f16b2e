// What the build cache holds, and taking away what is not needed: `docker buildx du`, `docker builder prune`, and limits.

import { capture } from '../../container/capture.ts';
import type { InitApi } from '../../sandbox/init-types.ts';
import { IN_SANDBOX } from '../../sandbox/sandbox.ts';
import type { CacheRecord, PruneOptions } from '../build.ts';
import type { StepLayer } from '../execute/snapshot.ts';
import type { BuildCache } from './cache.ts';
import { buildDirectory, type Result } from './record.ts';

/** Directories that are measured by one process. */
const MEASURED_AT_ONCE = 500;

/** All records, with the bytes of the layer that each one added. */
export async function cacheUsage(cache: BuildCache, init: InitApi): Promise<CacheRecord[]> {
  const results = cache.results();
  await measure(cache, init);
  const byLayers = new Map(results.map((result) => [layersKey(result.layers), result.id]));
  return results.map((result) =>
    describe(result, cache, byLayers.get(layersKey(result.layers.slice(0, -1)))),
  );
}

/** Removes records that fit the options and that no build uses; what was removed. */
export async function pruneCache(
  cache: BuildCache,
  init: InitApi,
  options: PruneOptions,
): Promise<CacheRecord[]> {
  const records = new Map((await cacheUsage(cache, init)).map((record) => [record.id, record]));
  const oldestFirst = cache.results().sort((a, b) => a.lastUsed - b.lastUsed);
  let kept = [...records.values()].reduce((sum, record) => sum + record.size, 0);
  const removed: Result[] = [];
  for (const result of oldestFirst) {
    const record = records.get(result.id);
    if (record === undefined || cache.isHeld(result) || !isMeant(record, result, options)) continue;
    if (options.keepBytes > 0 && kept <= options.keepBytes) break;
    removed.push(result);
    kept -= record.size;
  }
  await cache.remove(removed);
  return removed.flatMap((result) => records.get(result.id) ?? []);
}

/** After a build: what is over the limits goes, the longest unused first. */
export async function collectGarbage(
  cache: BuildCache,
  init: InitApi,
  limits: { bytes: number; ageMs: number },
): Promise<void> {
  await cache.remove(cache.surplus());
  const all = { all: true, keepBytes: 0, unusedForMs: 0, filters: new Map() };
  const oldest = Math.min(...cache.results().map((result) => result.lastUsed));
  if (Date.now() - oldest > limits.ageMs)
    await pruneCache(cache, init, { ...all, unusedForMs: limits.ageMs });
  await pruneCache(cache, init, { ...all, keepBytes: limits.bytes });
}

function isMeant(record: CacheRecord, result: Result, options: PruneOptions): boolean {
  // without --all, what images share with the cache stays: removing it would free nothing
  if (!options.all && record.isShared) return false;
  if (Date.now() - result.lastUsed < options.unusedForMs) return false;
  return [...options.filters].every(([name, values]) =>
    values.every((value) => matches(record, name, value)),
  );
}

function matches(record: CacheRecord, name: string, value: string): boolean {
  switch (name) {
    case 'id':
      return record.id.startsWith(value);
    case 'parent':
    case 'parents':
      return record.parents.includes(value);
    case 'description':
      return record.description.includes(value);
    case 'type':
      return record.type === value;
    case 'shared':
      return record.isShared === (value !== 'false');
    case 'private':
      return record.isShared !== (value !== 'false');
    case 'inuse':
      return record.isInUse === (value !== 'false');
    case 'mutable':
      return value === 'false';
    default:
      return true; // `until` is unusedForMs
  }
}

function describe(result: Result, cache: BuildCache, parent: string | undefined): CacheRecord {
  const own = ownLayer(result);
  return {
    id: result.id,
    parents: parent === undefined ? [] : [parent],
    type: 'regular',
    description: result.description,
    isInUse: cache.isHeld(result),
    isShared: own?.diffId !== undefined,
    size: own?.size ?? 0,
    createdAt: new Date(result.created).toISOString(),
    lastUsedAt: new Date(result.lastUsed).toISOString(),
    usageCount: result.uses,
  };
}

/** The layer that a step made: the last one. */
function ownLayer({ layers }: Result): StepLayer | undefined {
  return layers.at(-1);
}

function layersKey(layers: readonly StepLayer[]): string {
  return layers.map(({ location }) => location).join(':');
}

/** Measures layers that nobody has measured yet. */
async function measure(cache: BuildCache, init: InitApi): Promise<void> {
  const unknown = new Set<StepLayer>();
  for (const result of cache.results()) {
    const layer = ownLayer(result);
    if (layer !== undefined && layer.size === undefined && buildDirectory(layer) !== undefined)
      unknown.add(layer);
  }
  const layers = [...unknown];
  for (let at = 0; at < layers.length; at += MEASURED_AT_ONCE) {
    const some = layers.slice(at, at + MEASURED_AT_ONCE);
    const paths = some.map(({ location }) => `${IN_SANDBOX.dockerRoot}/${location}`);
    const { stdout } = await capture(init, ['/usr/sbin/berth-init', 'volume', 'size', ...paths]);
    const sizes = stdout.split('\n');
    for (const [index, layer] of some.entries()) {
      const size = Number(/^\d{1,15}$/.exec(sizes[index] ?? '')?.[0] ?? 0);
      layer.size = Number.isSafeInteger(size) ? size : 0;
    }
  }
  if (layers.length > 0) cache.changed();
}

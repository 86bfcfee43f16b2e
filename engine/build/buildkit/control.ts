// BuildKit's Control service: builds, their status, and what the cache holds.

import type { CacheRecord } from '../build.ts';
import { type Method, type Methods, streaming, unary } from '../grpc/server.ts';
import type { BuildFronts } from '../parts.ts';
import type { Value } from '../proto/message.ts';
import { buildUsage, pruneBuilds, readFilters } from '../usage.ts';
import { gatewayMethods } from './gateway.ts';
import {
  DiskUsageRequest,
  DiskUsageResponse,
  Empty,
  InfoResponse,
  ListWorkersRequest,
  ListWorkersResponse,
  PruneRequest,
  SolveRequest,
  SolveResponse,
  StatusRequest,
  StatusResponse,
  UsageRecord,
} from './messages.ts';
import { solve } from './solve.ts';
import { describeWorker, VERSION } from './worker.ts';

const NANOS_PER_MS = 1_000_000;

/** Everything that `POST /grpc` offers. */
export function buildkitMethods(fronts: BuildFronts): Methods {
  const control: Record<string, Method> = {
    Solve: unary(SolveRequest, SolveResponse, (request, { signal }) => solve(fronts, request, signal)),
    Status: streaming(StatusRequest, StatusResponse, async function* ({ ref }, { signal }) {
      const log = await fronts.builds.watch(ref, signal);
      yield* log.read(signal);
    }),
    ListWorkers: unary(ListWorkersRequest, ListWorkersResponse, async () => ({
      record: [describeWorker(fronts)],
    })),
    Info: unary(Empty, InfoResponse, async () => ({ buildkitVersion: VERSION })),
    DiskUsage: unary(DiskUsageRequest, DiskUsageResponse, async ({ filter }) => {
      const filters = readFilters(filter);
      const records = await buildUsage(fronts);
      return { record: records.filter((record) => fits(record, filters)).map(encodeRecord) };
    }),
    Prune: streaming(PruneRequest, UsageRecord, async function* (request) {
      const removed = await pruneBuilds(fronts, {
        all: request.all,
        keepBytes: request.reservedSpace,
        unusedForMs: request.keepDuration / NANOS_PER_MS,
        filters: readFilters(request.filter),
      });
      for (const record of removed) yield encodeRecord(record);
    }),
  };
  const named = Object.entries(control).map(([name, method]): [string, Method] => {
    return [`/moby.buildkit.v1.Control/${name}`, method];
  });
  return new Map([...named, ...gatewayMethods(fronts)]);
}

/** Of the filters of `docker buildx du` those that a record can be asked. */
function fits(record: CacheRecord, filters: ReadonlyMap<string, readonly string[]>): boolean {
  const values: Record<string, string> = {
    id: record.id,
    type: record.type,
    description: record.description,
    inuse: String(record.isInUse),
    shared: String(record.isShared),
    private: String(!record.isShared),
    mutable: String(isMutable(record)),
  };
  return [...filters].every(([name, wanted]) => {
    const value = values[name];
    return (
      value === undefined ||
      wanted.some((each) => value === each || (name === 'id' && value.startsWith(each)))
    );
  });
}

function isMutable({ type }: CacheRecord): boolean {
  return type === 'source.local' || type === 'exec.cachemount' || type === 'source.git.checkout';
}

function toNanos(time: string | undefined): bigint | undefined {
  return time === undefined ? undefined : BigInt(Date.parse(time)) * 1_000_000n;
}

function encodeRecord(record: CacheRecord): Value<typeof UsageRecord> {
  return {
    id: record.id,
    mutable: isMutable(record),
    inUse: record.isInUse,
    size: record.size,
    parent: record.parents[0] ?? '',
    createdAt: toNanos(record.createdAt),
    lastUsedAt: toNanos(record.lastUsedAt),
    usageCount: record.usageCount,
    description: record.description,
    recordType: record.type,
    shared: record.isShared,
    parents: [...record.parents],
  };
}

// The messages of BuildKit's Control and LLBBridge services, as far as Berth uses them (moby/buildkit api/services/control, frontend/gateway/pb, solver/pb).

import { RpcStatus } from '../grpc/status.ts';
import {
  BYTES,
  bytes,
  flag,
  inner,
  int,
  list,
  map,
  message,
  nested,
  TEXT,
  text,
  time,
} from '../proto/message.ts';

export const Empty = message({});

/** pb.Definition: a graph of operations that a client made itself. */
export const Definition = message({ def: list(BYTES, 1) });

const CacheOptionsEntry = message({ type: text(1), attrs: map(TEXT, 2) });
const CacheOptions = message({
  exports: list(inner(CacheOptionsEntry), 4),
  imports: list(inner(CacheOptionsEntry), 5),
});
export const Exporter = message({ type: text(1), attrs: map(TEXT, 2) });

export const SolveRequest = message({
  ref: text(1),
  definition: nested(Definition, 2),
  exporterDeprecated: text(3),
  exporterAttrsDeprecated: map(TEXT, 4),
  session: text(5),
  frontend: text(6),
  frontendAttrs: map(TEXT, 7),
  cache: nested(CacheOptions, 8),
  entitlements: list(TEXT, 9),
  frontendInputs: map(inner(Definition), 10),
  internal: flag(11),
  exporters: list(inner(Exporter), 13),
});
export const SolveResponse = message({ exporterResponse: map(TEXT, 1) });

const Position = message({ line: int(1), character: int(2) });
const Range = message({ start: nested(Position, 1), end: nested(Position, 2) });
const SourceInfo = message({ filename: text(1), data: bytes(2), language: text(4) });

const Vertex = message({
  digest: text(1),
  inputs: list(TEXT, 2),
  name: text(3),
  cached: flag(4),
  started: time(5),
  completed: time(6),
  error: text(7),
});
const VertexStatus = message({
  id: text(1),
  vertex: text(2),
  name: text(3),
  current: int(4),
  total: int(5),
  timestamp: time(6),
  started: time(7),
  completed: time(8),
});
const VertexLog = message({ vertex: text(1), timestamp: time(2), stream: int(3), msg: bytes(4) });
const VertexWarning = message({
  vertex: text(1),
  level: int(2),
  short: bytes(3),
  detail: list(BYTES, 4),
  url: text(5),
  info: nested(SourceInfo, 6),
  ranges: list(inner(Range), 7),
});
export const StatusRequest = message({ ref: text(1) });
export const StatusResponse = message({
  vertexes: list(inner(Vertex), 1),
  statuses: list(inner(VertexStatus), 2),
  logs: list(inner(VertexLog), 3),
  warnings: list(inner(VertexWarning), 4),
});

const Platform = message({ architecture: text(1), os: text(2), variant: text(3) });
const BuildkitVersion = message({ package: text(1), version: text(2), revision: text(3) });
const GcPolicy = message({
  all: flag(1),
  /** nanoseconds */
  keepDuration: int(2),
  /** bytes */
  reservedSpace: int(3),
  filters: list(TEXT, 4),
});
export const WorkerRecord = message({
  id: text(1),
  labels: map(TEXT, 2),
  platforms: list(inner(Platform), 3),
  gcPolicy: list(inner(GcPolicy), 4),
  buildkitVersion: nested(BuildkitVersion, 5),
});
export const ListWorkersRequest = message({ filter: list(TEXT, 1) });
export const ListWorkersResponse = message({ record: list(inner(WorkerRecord), 1) });
export const InfoResponse = message({ buildkitVersion: nested(BuildkitVersion, 1) });

export const UsageRecord = message({
  id: text(1),
  mutable: flag(2),
  inUse: flag(3),
  size: int(4),
  parent: text(5),
  createdAt: time(6),
  lastUsedAt: time(7),
  usageCount: int(8),
  description: text(9),
  recordType: text(10),
  shared: flag(11),
  parents: list(TEXT, 12),
});
export const DiskUsageRequest = message({ filter: list(TEXT, 1), ageLimit: int(2) });
export const DiskUsageResponse = message({ record: list(inner(UsageRecord), 1) });
export const PruneRequest = message({
  filter: list(TEXT, 1),
  all: flag(2),
  /** nanoseconds */
  keepDuration: int(3),
  /** bytes */
  reservedSpace: int(4),
  maxUsedSpace: int(5),
  minFreeSpace: int(6),
});

const Capability = message({ id: text(1), enabled: flag(2) });
export const PongResponse = message({
  frontendCaps: list(inner(Capability), 1),
  llbCaps: list(inner(Capability), 2),
  workers: list(inner(WorkerRecord), 3),
});

const Ref = message({ id: text(1), def: nested(Definition, 2) });
const RefMap = message({ refs: map(inner(Ref), 1) });
const RefMapDeprecated = message({ refs: map(TEXT, 1) });
const Result = message({
  refDeprecated: text(1),
  refsDeprecated: nested(RefMapDeprecated, 2),
  ref: nested(Ref, 3),
  refs: nested(RefMap, 4),
  metadata: map(BYTES, 10),
});
export const GatewaySolveRequest = message({
  definition: nested(Definition, 1),
  frontend: text(2),
  frontendOpt: map(TEXT, 3),
  allowResultReturn: flag(5),
  allowResultArrayRef: flag(6),
  frontendInputs: map(inner(Definition), 13),
  evaluate: flag(14),
});
export const GatewaySolveResponse = message({ ref: text(1), result: nested(Result, 3) });
export const ReturnRequest = message({ result: nested(Result, 1), error: nested(RpcStatus, 2) });
export const EvaluateRequest = message({ ref: text(1) });
export const InputsResponse = message({ definitions: map(inner(Definition), 1) });

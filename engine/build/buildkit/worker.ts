// What a sandbox's builder says of itself to BuildKit's clients: `docker buildx inspect`, and what a client may ask of it.

import { GO_ARCHITECTURE } from '../../image/pull.ts';
import type { BuildFronts } from '../parts.ts';
import type { Value } from '../proto/message.ts';
import type { WorkerRecord } from './messages.ts';

/** As `docker buildx ls` shows it; clients expect a version of this form. */
export const VERSION = { package: 'berth', version: 'v0.1.0', revision: '' };

/** frontend/gateway/pb/caps.go: what LLBBridge here can do */
const FRONTEND_CAPS = [
  'solve.base',
  'solve.inlinereturn',
  'return',
  'returnmap',
  'proto.refarray',
  'importcaches',
  'frontend.caps',
  'gateway.solve.metadata',
];

/** solver/pb/caps.go: what a Dockerfile build here can use */
const LLB_CAPS = [
  'source.image',
  'source.image.resolvemode',
  'source.local',
  'source.local.unique',
  'source.local.sessionid',
  'source.local.includepatterns',
  'source.local.followpaths',
  'source.local.excludepatterns',
  'source.local.sharedkeyhint',
  'source.http',
  'source.http.checksum',
  'exec.meta.base',
  'exec.meta.network',
  'exec.meta.proxyenv',
  'exec.meta.ulimit',
  'exec.mount.bind',
  'exec.mount.cache',
  'exec.mount.cache.sharing',
  'exec.mount.tmpfs',
  'exec.mount.tmpfs.size',
  'exec.mount.secret',
  'exec.mount.ssh',
  'exec.secretenv',
  'file.base',
  'constraints',
  'platform',
  'meta.ignorecache',
  'meta.description',
  'exporter.sourcedateepoch',
];

function enabled(ids: readonly string[]) {
  return ids.map((id) => ({ id, enabled: true }));
}

export const CAPABILITIES = { frontendCaps: enabled(FRONTEND_CAPS), llbCaps: enabled(LLB_CAPS) };

/** The one worker. Without a label that names a snapshotter: clients would take it for containerd's image store. */
export function describeWorker({ workerId, gatewayAddress }: BuildFronts): Value<typeof WorkerRecord> {
  const architecture = GO_ARCHITECTURE[process.arch] ?? process.arch;
  return {
    id: workerId,
    labels: new Map([['org.mobyproject.buildkit.worker.moby.host-gateway-ip', gatewayAddress]]),
    platforms: [{ architecture, os: 'linux', variant: '' }],
    gcPolicy: [],
    buildkitVersion: VERSION,
  };
}

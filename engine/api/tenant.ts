// The Docker daemon of one sandbox: its parts are built here, brought in line with what runs, and wired to the API.

import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { describeActivity } from '../build/activity.ts';
import { openBuilder, type SandboxBuilder } from '../build/builder.ts';
import { closeFronts, openFronts } from '../build/parts.ts';
import { buildUsage } from '../build/usage.ts';
import type { BuildActivity } from '../client/build-events.ts';
import { Accounts } from '../container/accounts.ts';
import { hasSwapLimit, initLayerSteps } from '../container/boot.ts';
import { watchExits } from '../container/exits.ts';
import { volumeNames } from '../container/mount-point.ts';
import { NameServer } from '../container/names.ts';
import { claimHeld, reconcileContainers } from '../container/reconcile.ts';
import { ContainerStore } from '../container/store.ts';
import { UsageReader } from '../container/usage.ts';
import { Unavailable } from '../errors.ts';
import { type DockerEvent, EventBus } from '../events/bus.ts';
import { formatNanos, nowNanos } from '../events/clock.ts';
import { HealthMonitor } from '../exec/health-monitor.ts';
import type { ExecParts } from '../exec/parts.ts';
import { reconcileExecs } from '../exec/reconcile.ts';
import { watchExecExits } from '../exec/start.ts';
import { ExecStore } from '../exec/store.ts';
import type { Catalogue } from '../image/catalogue.ts';
import { LayerKeeper } from '../image/layers.ts';
import { ImageStore } from '../image/local.ts';
import type { ImageSources } from '../image/pull.ts';
import type { SharedStore } from '../image/shared-store.ts';
import type { Logger } from '../log.ts';
import { Networks } from '../network/networks.ts';
import type { Registries } from '../registry/registries.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { endTools } from '../sandbox/tool.ts';
import { readJsonFile, writeJsonFile } from '../store/json-file.ts';
import { VolumeMounts } from '../volume/mount.ts';
import { reconcileVolumes } from '../volume/reconcile.ts';
import { VolumeStore } from '../volume/store.ts';
import { Router } from './router.ts';
import { buildRoutes } from './routes/build.ts';
import { buildSessionRoutes } from './routes/build-sessions.ts';
import { containerFileRoutes } from './routes/container-files.ts';
import { containerStatsRoutes } from './routes/container-stats.ts';
import { containerStreamRoutes } from './routes/container-streams.ts';
import { containerRoutes } from './routes/containers.ts';
import { eventRoutes } from './routes/events.ts';
import { execRoutes } from './routes/exec.ts';
import { imageRoutes } from './routes/images.ts';
import { networkRoutes } from './routes/networks.ts';
import { pluginRoutes } from './routes/plugins.ts';
import { registryRoutes } from './routes/registry.ts';
import { systemRoutes } from './routes/system.ts';
import { unsupportedRoutes } from './routes/unsupported.ts';
import { volumeRoutes } from './routes/volumes.ts';
import { ApiServer } from './server.ts';

export interface TenantDeps {
  catalogue: Catalogue;
  registries: Registries;
  shared: SharedStore;
  log: Logger;
  /** Docker's default, containers-common format (engine/runtime/seccomp.ts) */
  seccompProfile: unknown;
}

export interface Tenant {
  handle(req: IncomingMessage, res: ServerResponse): void;
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  events: { subscribe(listener: (event: DockerEvent) => void): () => void };
  builds: { subscribe(listener: (event: BuildActivity) => void, onEnd: () => void): () => void };
  dispose(): Promise<void>;
}

const DaemonRecord = z.object({ created: z.string() });

/** Builds the daemon of a sandbox that is up: reads its records and sets right what changed while nobody looked. */
export async function createTenant(sandbox: Sandbox, deps: TenantDeps): Promise<Tenant> {
  const { init, stateDir } = sandbox;
  const { catalogue, registries, shared, log, seccompProfile } = deps;
  const sources: ImageSources = { catalogue, registries, shared };
  const events = new EventBus();
  const [images, containers, created, swapLimit] = await Promise.all([
    ImageStore.open(stateDir, catalogue),
    ContainerStore.open(stateDir, (error) => log.error({ err: error }, 'a container record is damaged')),
    creationTime(stateDir),
    hasSwapLimit(init, sandbox),
    init.start(initLayerSteps()),
  ]);
  const volumes = await VolumeStore.open(
    stateDir,
    (name) => containersWith(containers, name),
    (error) => log.error({ err: error }, 'a volume record is damaged'),
  );
  const networks = await Networks.open(stateDir, sandbox.id, created, (error) =>
    log.error({ err: error }, 'a network record is damaged'),
  );
  const accounts = new Accounts(init);
  const health = new HealthMonitor({ sandbox, containers, events, accounts, log });
  const execs = await ExecStore.open(stateDir, log, (exec) => {
    containers.byFullId(exec.containerId)?.execs.delete(exec.id);
  });
  let builder: SandboxBuilder | undefined;
  const parts: ExecParts = {
    sandbox,
    containers,
    images,
    layers: new LayerKeeper(sandbox, images, shared, () => [
      ...containers.list().map(({ record }) => record.layers),
      builder?.layersInUse() ?? [],
    ]),
    networks,
    names: new NameServer({ init, containers, networks }),
    volumes,
    volumeMounts: new VolumeMounts(),
    events,
    accounts,
    usage: new UsageReader(sandbox),
    health,
    log,
    seccompProfile,
    hasSwapLimit: swapLimit,
    execs,
  };
  claimHeld(parts);
  await networks.setUp(init);
  const unwatchers = [watchExits(parts), watchExecExits(parts)];
  // what an engine before this one was copying
  await Promise.all(['view', 'changes', 'read'].map((tool) => endTools(init, tool)));
  await reconcileVolumes(parts);
  await reconcileContainers(parts);
  await parts.volumeMounts.reconcile(parts);
  await reconcileExecs(parts);
  builder = await openBuilder(parts, sources);
  await parts.layers.reconcile();
  const fronts = await openFronts({
    builder,
    init,
    log,
    gatewayAddress: networks.bridge.record.gateway,
    workerId: sandbox.id,
  });

  const router = new Router([
    ...systemRoutes(parts, () => buildUsage(fronts)),
    ...containerRoutes(parts),
    ...containerFileRoutes(parts),
    ...containerStatsRoutes(parts),
    ...containerStreamRoutes(parts),
    ...execRoutes(parts),
    ...imageRoutes(parts, sources),
    ...registryRoutes(parts, sources),
    ...buildRoutes(fronts),
    ...buildSessionRoutes(fronts),
    ...eventRoutes(events),
    ...networkRoutes(parts),
    ...volumeRoutes(parts),
    ...pluginRoutes(),
    ...unsupportedRoutes(),
  ]);
  const server = new ApiServer(router, log);
  return {
    handle: (req, res) => server.handle(req, res),
    upgrade: (req, socket, head) => server.upgrade(req, socket, head),
    events,
    builds: {
      subscribe: (listener, onEnd) => {
        return fronts.feed.subscribe((event) => listener(describeActivity(event, images)), onEnd);
      },
    },
    async dispose() {
      for (const unwatch of unwatchers) unwatch();
      closeFronts(fronts);
      await execs.dispose();
      health.dispose();
      parts.names.dispose();
      // A change that is under way is finished, so that its record says what is.
      await Promise.all(
        containers.list().map((container) => {
          clearTimeout(container.restartTimer);
          container.closing.abort(new Unavailable('the engine ends'));
          return container.lock.run(async () => undefined);
        }),
      );
    },
  };
}

/** Ids of the containers that mount a volume, oldest first. */
function containersWith(containers: ContainerStore, volume: string): string[] {
  return containers
    .list()
    .filter(({ record }) => volumeNames(record.mounts).includes(volume))
    .map(({ id }) => id)
    .reverse();
}

/** When this daemon came to be: the creation time of its default networks. */
async function creationTime(stateDir: string): Promise<string> {
  const file = path.join(stateDir, 'daemon.json');
  const known = await readJsonFile(file, DaemonRecord);
  if (known) return known.created;
  const created = formatNanos(nowNanos());
  await writeJsonFile(file, { created });
  return created;
}

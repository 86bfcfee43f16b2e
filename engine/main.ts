// The engine's process: builds the parts, hands each what it needs, and ends in order.

import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createTenant } from './api/tenant.ts';
import { ActivityHub } from './control/activity.ts';
import { controlSocketPath, createControlServer, isAnswering, listenControl } from './control/server.ts';
import { Tenants } from './control/tenant.ts';
import { messageOf } from './errors.ts';
import { openCatalogue } from './image/catalogue.ts';
import { SharedCollector } from './image/shared-collector.ts';
import { SharedStore } from './image/shared-store.ts';
import { Links } from './link/links.ts';
import { createLogger, type Logger } from './log.ts';
import { Registries } from './registry/registries.ts';
import { openCgroups } from './runtime/cgroup-host.ts';
import { UID_RANGE } from './runtime/sandbox-spec.ts';
import { DiskTemplates } from './sandbox/disk-template.ts';
import { groupId } from './sandbox/host-image.ts';
import { acquireInstance, cgroupParent } from './sandbox/instance.ts';
import type { SandboxHooks } from './sandbox/lab-host.ts';
import { SandboxManager } from './sandbox/manager.ts';
import { hostPaths } from './sandbox/paths.ts';
import { parseSettings, type Settings } from './settings.ts';
import { withSetupLock } from './setup/setup-lock.ts';

/** Docker's default profile, in the format of containers-common, put there by set-up. */
async function readSeccompProfile(dataDir: string): Promise<unknown> {
  const profile: unknown = JSON.parse(await readFile(path.join(dataDir, 'seccomp.json'), 'utf8'));
  return profile;
}

async function run(settings: Settings, log: Logger): Promise<void> {
  const host = hostPaths(settings.dataDir, settings.runDir);
  const controlSocket = controlSocketPath(settings.runDir);
  if (process.getuid?.() !== 0)
    throw new Error('the engine needs root: it makes namespaces, mounts and cgroups');
  if (await isAnswering(controlSocket)) throw new Error(`another engine is answering on ${controlSocket}`);
  await mkdir(settings.dataDir, { recursive: true, mode: 0o755 });
  const instance = await acquireInstance(settings.dataDir);

  const catalogue = await openCatalogue(settings.dataDir);
  const registries = new Registries(settings.registries);
  const shared = await SharedStore.open(
    settings.dataDir,
    {
      launchBinary: host.launchBinary,
      initBinary: host.initBinary,
      // the range after the last that a sandbox may get
      uidBase: settings.uidBase + settings.maxSandboxes * UID_RANGE,
    },
    log,
  );
  const collector = new SharedCollector(
    shared,
    { catalogue, sandboxesDir: host.sandboxes, lock: (work) => withSetupLock(settings.dataDir, work) },
    log,
  );
  const seccompProfile = await readSeccompProfile(settings.dataDir);
  const cgroups = await openCgroups(cgroupParent(settings.dataDir));
  const activity = new ActivityHub();
  const tenants = new Tenants(
    (sandbox) =>
      createTenant(sandbox, {
        catalogue,
        registries,
        shared,
        seccompProfile,
        log: log.child({ sandbox: sandbox.name }),
      }),
    await groupId(host.hostImage, 'docker'),
    log,
  );
  const hooks: SandboxHooks = {
    async up(sandbox) {
      await tenants.open(sandbox);
      activity.watchDocker(sandbox, tenants);
    },
    async down(sandbox) {
      activity.unwatchDocker(sandbox);
      await tenants.close(sandbox);
    },
    changed(sandbox, state) {
      activity.publish(sandbox.id, { kind: 'sandbox', state });
      if (state === 'deleted' || state === 'reset') collector.schedule();
    },
  };
  const links = new Links(settings.runDir, settings.uidBase, settings.internet);
  const manager = new SandboxManager(
    { host, cgroups, templates: new DiskTemplates(host.templates), links, hooks, log },
    { defaults: settings.sandboxDefaults, maxSandboxes: settings.maxSandboxes, uidBase: settings.uidBase },
  );
  await manager.open();
  collector.schedule();
  const server = createControlServer({ manager, tenants, activity, catalogue, log });
  await listenControl(server, controlSocket, settings.serverGid);
  log.info({ socket: controlSocket, data: settings.dataDir }, 'engine is ready');

  const signal = await untilSignal();
  log.info({ signal }, 'engine ends; sandboxes go on');
  server.close();
  await collector.dispose();
  await manager.release();
  server.closeAllConnections();
  await cgroups.dispose();
  await instance.release();
}

function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
}

async function main(): Promise<void> {
  const settings = parseSettings(process.env);
  const log = createLogger(settings.logLevel);
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'unhandled rejection'));
  try {
    await run(settings, log);
    process.exit(0);
  } catch (error) {
    log.fatal({ err: error }, messageOf(error));
    process.exit(1);
  }
}

main().catch((error) => {
  process.stderr.write(`berth engine: ${messageOf(error)}\n`);
  process.exit(1);
});

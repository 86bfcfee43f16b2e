// docker start: one request to PID 1 that mounts, connects and runs; recorded before and after.

import { randomBytes } from 'node:crypto';
import { Conflict, messageOf, NotModified, SystemError } from '../errors.ts';
import { formatNanos, nowNanos, ZERO_TIME } from '../events/clock.ts';
import type { LogPlan } from '../logger/driver.ts';
import { logPlan } from '../logger/drivers.ts';
import { netnsPath } from '../network/bridge.ts';
import type { Attachment } from '../network/record.ts';
import { runtimeCommand } from '../runtime/runtimes.ts';
import { type ProcessSpec, StartFailed, type Step } from '../sandbox/init-types.ts';
import { IN_SANDBOX } from '../sandbox/sandbox.ts';
import { connectAll, disconnected, hasNames, heldFor, publishNetworks } from './attachments.ts';
import { cgroupDir } from './cgroup.ts';
import { cleanupSteps } from './cleanup.ts';
import type { Container } from './container.ts';
import { checkDevices } from './devices.ts';
import { createFailed, explainStartFailure } from './failure.ts';
import { bundleDir, consoleSocket, containerDir, hostsFile, resolvConf } from './files.ts';
import { healthAtStart } from './health.ts';
import { joinedIpc, joinedNetwork, joinedPid } from './join.ts';
import { linkHosts, linksOf, linkVariables, renewLinks } from './links.ts';
import { layerSteps, mergedDir, overlayOptions } from './overlay.ts';
import type { ContainerParts } from './parts.ts';
import { checkPropagation } from './propagation.ts';
import { type ContainerRecord, isRunning } from './record.ts';
import { removeLocked } from './remove.ts';
import { shmSource, shmSteps } from './shm.ts';
import { containerSpec } from './spec.ts';
import { resolveUser } from './user.ts';
import { mountVolumes, pinSteps, publishMounts, publishUnmounts, unmountVolumes } from './volumes.ts';

/** The process as berth-init is told of it before its start; where its output is logged comes with the start. */
export function reservedProcess(parts: ContainerParts, container: Container): ProcessSpec {
  const { id, config, hostConfig } = container.record;
  const bundle = bundleDir(id);
  const [rows, cols] = hostConfig.ConsoleSize;
  return {
    key: container.key,
    terminal: config.Tty,
    openStdin: config.OpenStdin,
    stdinOnce: config.OpenStdin && config.StdinOnce,
    ...(config.Tty && rows && cols ? { rows, cols } : {}),
    adopt: { pidFile: `${bundle}/pid`, ...(config.Tty ? { consoleSocket: consoleSocket(id) } : {}) },
    cgroup: cgroupDir(parts.sandbox, id, 'memory', hostConfig.CgroupParent),
  };
}

function mainProcess(parts: ContainerParts, container: Container, plan: LogPlan | undefined): ProcessSpec {
  const { path, rotation, attrs } = plan ?? {};
  return {
    ...reservedProcess(parts, container),
    ...(path === undefined ? { discard: true } : { log: path }),
    ...(rotation ? { logRotation: rotation } : {}),
    ...(attrs === undefined ? {} : { logAttrs: attrs }),
  };
}

/** Starts a container that does not run. Throws NotModified when it runs already. */
export function startContainer(parts: ContainerParts, container: Container): Promise<void> {
  return container.lock.run(async () => {
    const { record } = container;
    if (record.state.status === 'paused') {
      throw new Conflict('cannot start a paused container, try unpause instead');
    }
    if (isRunning(record)) throw new NotModified();
    await startLocked(parts, container);
  });
}

/** The start itself; the caller holds the container's lock. */
export async function startLocked(parts: ContainerParts, container: Container): Promise<void> {
  const { record } = container;
  if (record.intent === 'removing' || record.state.status === 'dead') {
    throw new Conflict('container is marked for removal and cannot be started');
  }
  clearTimeout(container.restartTimer);
  container.restartTimer = undefined;
  let networks: Attachment[] = [];
  try {
    networks = connectAll(parts.networks, record, await heldFor(parts.sandbox.init, record));
    const networkSandbox = randomBytes(32).toString('hex');
    await parts.containers.update(container, {
      intent: 'starting',
      networkSandbox,
      networks,
      stoppedByUser: false,
    });
    if (parts.sandbox.init.process(container.key)?.state === 'ended') {
      await parts.sandbox.init.forget(container.key);
    }
    await mountVolumes(parts, record);
    const { pid } = await runSteps(parts, container);
    await parts.containers.update(container, {
      intent: 'none',
      state: {
        status: 'running',
        pid,
        exitCode: 0,
        error: '',
        startedAt: startTime(parts, container),
        finishedAt: record.state.finishedAt,
        oomKilled: false,
        health: healthAtStart(record),
      },
    });
  } catch (error) {
    await undoStart(parts, container, networks, error);
    throw refusal(error);
  }
  container.isReserved = false;
  parts.health.update(container);
  publishNetworks(parts, container, 'connect', networks);
  publishMounts(parts, record);
  await renewLinks(parts, container).catch((error) =>
    parts.log.warn({ err: error, container: container.id }, 'links to a container are not up to date'),
  );
  parts.events.publish('container', 'start', container.id, container.attributes);
}

function startTime(parts: ContainerParts, container: Container): string {
  const known = parts.sandbox.init.process(container.key)?.started;
  return formatNanos(known === undefined || known === 0n ? nowNanos() : known);
}

/** Runs the start; a -v source that is not there is made as Docker does, and the start tried again. */
async function runSteps(parts: ContainerParts, container: Container): Promise<{ pid: number }> {
  const log = logPlan(container.record);
  const process = mainProcess(parts, container, log);
  const steps = await startSteps(parts, container);
  if (log?.directory !== undefined) steps.push({ kind: 'mkdir', path: log.directory, mode: 0o700 });
  const { init } = parts.sandbox;
  const isNamed = hasNames(parts.networks, container.record);
  const run = (before: readonly Step[]) =>
    parts.networks.exclusively(container.record.networks, async () => {
      const setUp = [...before, ...steps, ...connectSteps(parts, container)];
      if (!isNamed) return init.start([...setUp, runtimeStep(container)], process);
      // Its first question may be asked at once: the name server must be there before the program is.
      await init.start(setUp);
      await parts.names.listen(container.record);
      return init.start([runtimeStep(container)], process);
    });
  try {
    return await run([]);
  } catch (error) {
    const missing = missingSource(container.record, error);
    if (missing.length === 0) throw error;
    const made = missing.map((path): Step => ({ kind: 'mkdir', path, mode: 0o755 }));
    const cut = parts.networks.cutSteps(container.record.networks);
    return run([...cut, ...cleanupSteps(parts, container.record), ...made]);
  }
}

function missingSource(record: ContainerRecord, error: unknown): string[] {
  if (!(error instanceof StartFailed) || !/No such file or directory/.test(error.text)) return [];
  return record.mounts
    .filter((point) => point.createsSource && error.text.includes(point.source))
    .map((point) => point.source);
}

async function startSteps(parts: ContainerParts, container: Container): Promise<Step[]> {
  const { record } = container;
  const { id } = record;
  const hasRun = record.state.startedAt !== ZERO_TIME;
  const [accounts, resolv] = await Promise.all([
    parts.accounts.read(record, hasRun),
    resolvConf(parts.sandbox.init, record, hasNames(parts.networks, record)),
    checkPropagation(parts.sandbox.init, record.mounts),
    checkDevices(parts.sandbox.init, record.hostConfig),
  ]);
  const user = resolveUser(
    record.config.User,
    accounts.passwd,
    accounts.group,
    record.hostConfig.GroupAdd ?? [],
  );
  const links = linksOf(parts, record);
  const spec = containerSpec(record, {
    linkVariables: linkVariables(record, links),
    user,
    netns: netnsOf(parts, record),
    ipcOf: joinedIpc(parts, record.hostConfig.IpcMode),
    pidOf: joinedPid(parts, record.hostConfig.PidMode),
    shmSource: shmSource(parts, record),
    seccompProfile: parts.seccompProfile,
    hasSwapLimit: parts.hasSwapLimit,
  });
  const own = containerDir(id);
  return [
    { kind: 'mkdir', path: own, mode: 0o710 },
    ...layerSteps(id),
    { kind: 'mkdir', path: bundleDir(id), mode: 0o700 },
    { kind: 'chdir', path: IN_SANDBOX.dockerRoot },
    {
      kind: 'mount',
      source: 'overlay',
      path: mergedDir(id),
      fstype: 'overlay',
      data: overlayOptions(record),
    },
    { kind: 'write', path: `${own}/hostname`, data: `${record.config.Hostname}\n`, mode: 0o644 },
    {
      kind: 'write',
      path: `${own}/hosts`,
      data: hostsFile(record, parts.networks.bridge.record.gateway, linkHosts(links)),
      mode: 0o644,
    },
    { kind: 'write', path: `${own}/resolv.conf`, data: resolv, mode: 0o644 },
    { kind: 'write', path: `${bundleDir(id)}/config.json`, data: JSON.stringify(spec), mode: 0o600 },
    ...shmSteps(record),
    ...pinSteps(record),
    ...(ownsNetns(record) ? [{ kind: 'netns', path: netnsPath(record.networkSandbox) } as const] : []),
  ];
}

function connectSteps(parts: ContainerParts, container: Container): Step[] {
  const { networks, networkSandbox } = container.record;
  return parts.networks.connectSteps(networks, netnsPath(networkSandbox));
}

function runtimeStep({ record: { id, config, hostConfig } }: Container): Step {
  const bundle = bundleDir(id);
  const argv = runtimeCommand(
    hostConfig.Runtime,
    'run',
    '--detach',
    `--bundle=${bundle}`,
    `--pid-file=${bundle}/pid`,
    ...(config.Tty ? [`--console-socket=${consoleSocket(id)}`] : []),
    id,
  );
  return { kind: 'exec', argv };
}

/** A namespace of its own, rather than the lab host's or another container's. */
export function ownsNetns(record: ContainerRecord): boolean {
  const mode = record.hostConfig.NetworkMode;
  return mode !== 'host' && !mode.startsWith('container:');
}

function netnsOf(parts: ContainerParts, record: ContainerRecord): string | undefined {
  const mode = record.hostConfig.NetworkMode;
  if (mode === 'host') return undefined;
  const other = joinedNetwork(parts, mode);
  return other ? netnsOf(parts, other) : netnsPath(record.networkSandbox);
}

/** Takes back what a failed start made, and records why it failed. */
async function undoStart(
  parts: ContainerParts,
  container: Container,
  networks: readonly Attachment[],
  error: unknown,
): Promise<void> {
  const { exitCode } = explainStartFailure(error);
  parts.networks.release(networks);
  const before = container.record;
  await parts.networks
    .exclusively(networks, () => parts.sandbox.init.start(cleanupSteps(parts, before)))
    .catch((cause) => parts.log.warn({ err: cause, container: before.id }, 'a failed start left something'));
  await unmountVolumes(parts, before);
  publishUnmounts(parts, before);
  await parts.sandbox.init.forget(container.key).catch(() => undefined);
  container.isReserved = false;
  const { state } = before;
  await parts.containers.update(container, {
    intent: 'none',
    networks: disconnected(before.networks),
    state: {
      ...state,
      status: state.status === 'restarting' ? 'exited' : state.status,
      pid: 0,
      exitCode,
      error: refusal(error).message,
    },
  });
  if (state.status === 'restarting') container.announce(['stopped'], { exitCode });
  if (before.hostConfig.AutoRemove) await removeLocked(parts, container);
}

function refusal(error: unknown): Error {
  if (error instanceof StartFailed) return createFailed(explainStartFailure(error));
  return error instanceof Error ? error : new SystemError(messageOf(error));
}

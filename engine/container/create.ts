// docker create: a container's record, made from the request and the image.

import { cpus } from 'node:os';
import { InvalidParameter, NotFound } from '../errors.ts';
import { formatNanos, nowNanos } from '../events/clock.ts';
import { requireImage } from '../image/list.ts';
import type { LocalImage } from '../image/local.ts';
import { validateLogConfig } from '../logger/drivers.ts';
import { DEFAULT_RUNTIME } from '../runtime/runtimes.ts';
import { requestedAttachments, validMac } from './attachments.ts';
import { type ContainerConfig, type EndpointRequest, Healthcheck, type HostConfig } from './config.ts';
import { checkConflicts } from './conflicts.ts';
import type { Container } from './container.ts';
import { checkCpusets } from './cpuset.ts';
import { mergeHealthcheck, validateHealthcheck } from './health.ts';
import { newId } from './id.ts';
import { pathExists } from './lab-files.ts';
import { normalLinks } from './links.ts';
import type { MountPoint } from './mount-point.ts';
import { requestedMounts } from './mounts.ts';
import type { ContainerParts } from './parts.ts';
import { type ContainerRecord, NEW_STATE } from './record.ts';
import { parseSecurityOptions } from './security.ts';
import { MASKED_PATHS, READONLY_PATHS } from './spec.ts';
import { refuseUnsupported } from './unsupported.ts';
import { validateConfig } from './validate.ts';
import { withVolumes } from './volumes.ts';
import { createWarnings } from './warnings.ts';

export interface CreateOptions {
  name: string | undefined;
  config: ContainerConfig;
  hostConfig: HostConfig;
  /** `os/architecture[/variant]`; '' is this machine's */
  platform: string;
  endpoints: Record<string, EndpointRequest | null | undefined>;
}

/** Makes a container; nothing of it runs or exists in the sandbox yet. */
export async function createContainer(
  parts: ContainerParts,
  options: CreateOptions,
): Promise<{ container: Container; warnings: string[] }> {
  const id = newId();
  if (options.config.Image === '') throw new InvalidParameter('no command specified');
  checkConflicts(options.config, options.hostConfig, parts.containers);
  const image = requireImage(parts.images, options.config.Image);
  checkPlatform(image, options.config.Image, options.platform);
  const hostConfig = completeHostConfig(parts, options.hostConfig);
  const config = mergeImageConfig(options.config, image, id, hostConfig, parts.sandbox.hostname);
  refuseUnsupported(hostConfig);
  validateConfig(config, hostConfig, parts.sandbox.limits);
  checkCpusets(hostConfig, cpus().length);
  validateHealthcheck(config.Healthcheck);
  validateLogConfig(hostConfig.LogConfig);
  parseSecurityOptions(hostConfig.SecurityOpt ?? []);
  const mac = config.MacAddress ? validMac(config.MacAddress) : '';
  const { networks } = parts;
  const attachments = requestedAttachments(networks, hostConfig.NetworkMode, options.endpoints, mac);
  const mounts = requestedMounts(config, hostConfig, (other) => parts.containers.get(other).record.mounts);
  await checkMountSources(parts, mounts);
  const [path, ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  if (!path) throw new InvalidParameter('no command specified');

  const name = parts.containers.reserveName(options.name, id);
  let links: string[] | null;
  try {
    links = normalLinks(parts, name, hostConfig);
  } catch (error) {
    parts.containers.releaseName(name);
    throw error;
  }
  const record: Omit<ContainerRecord, 'mounts'> = {
    id,
    name,
    created: formatNanos(nowNanos()),
    image: image.id,
    layers: image.layers.map((layer) => layer.dirName).reverse(),
    path,
    args,
    config,
    hostConfig: { ...hostConfig, Links: links },
    networks: attachments,
    state: NEW_STATE,
    intent: 'none',
    stoppedByUser: false,
    removesVolumes: false,
    restartCount: 0,
    networkSandbox: '',
  };
  let container: Container;
  try {
    container = await withVolumes(parts, mounts, record.layers, (made) =>
      parts.containers.add({ ...record, mounts: made }),
    );
  } catch (error) {
    parts.containers.releaseName(name);
    throw error;
  }
  parts.events.publish('container', 'create', id, container.attributes);
  return { container, warnings: createWarnings(hostConfig) };
}

/** An image for another machine is as good as none: the client then tries to pull the right one. */
function checkPlatform(image: LocalImage, name: string, platform: string): void {
  if (platform === '') return;
  const [os, architecture] = platform.includes('/') ? platform.split('/') : ['linux', platform];
  if (os === image.config.os && architecture === image.config.architecture) return;
  throw new NotFound(
    `image with reference ${name} was found but its platform (${image.config.os}/${image.config.architecture}) does not match the specified platform (${platform})`,
  );
}

/** Docker's defaults, and other containers by id, so that a rename does not change who is meant. */
function completeHostConfig(parts: ContainerParts, host: HostConfig): HostConfig {
  const byId = (mode: string) => {
    const name = /^container:(.+)$/.exec(mode)?.[1];
    const id = name === undefined ? undefined : parts.containers.find(name)?.id;
    // One that is not there is refused at the start, as in Docker.
    return id === undefined ? mode : `container:${id}`;
  };
  const isNetworkDefault = host.NetworkMode === '' || host.NetworkMode === 'default';
  return {
    ...host,
    NetworkMode: isNetworkDefault ? 'bridge' : byId(host.NetworkMode),
    IpcMode: byId(host.IpcMode || 'private'),
    PidMode: byId(host.PidMode),
    CgroupnsMode: host.CgroupnsMode || 'private',
    Runtime: host.Runtime || DEFAULT_RUNTIME,
    ShmSize: host.ShmSize || 64 * 2 ** 20,
    MemorySwap: host.Memory > 0 && host.MemorySwap === 0 ? host.Memory * 2 : host.MemorySwap,
    MaskedPaths: host.Privileged ? [] : (host.MaskedPaths ?? MASKED_PATHS),
    ReadonlyPaths: host.Privileged ? [] : (host.ReadonlyPaths ?? READONLY_PATHS),
  };
}

/** The user's configuration over the image's (moby's merge): an entrypoint of the user's drops the image's command. */
function mergeImageConfig(
  own: ContainerConfig,
  image: LocalImage,
  id: string,
  host: HostConfig,
  labHostname: string,
): ContainerConfig {
  const theirs = image.config.config ?? {};
  const hasOwnEntrypoint = (own.Entrypoint?.length ?? 0) > 0;
  // --entrypoint "" is sent as [""] and means: none
  const isEntrypointCleared = own.Entrypoint?.length === 1 && own.Entrypoint[0] === '';
  const hasOwnCommand = (own.Cmd?.length ?? 0) > 0;
  const entrypoint = isEntrypointCleared
    ? null
    : hasOwnEntrypoint
      ? own.Entrypoint
      : (theirs.Entrypoint ?? null);
  const command = hasOwnCommand ? own.Cmd : hasOwnEntrypoint ? null : (theirs.Cmd ?? null);
  const exposed = { ...theirs.ExposedPorts, ...own.ExposedPorts };
  for (const port of Object.keys(host.PortBindings)) exposed[port] ??= {};
  const volumes = { ...theirs.Volumes, ...own.Volumes };
  const sharesHostname = host.NetworkMode === 'host' || host.UTSMode === 'host';
  return {
    ...own,
    Hostname: own.Hostname || (sharesHostname ? labHostname : id.slice(0, 12)),
    User: own.User || (theirs.User ?? ''),
    ExposedPorts: Object.keys(exposed).length > 0 ? exposed : undefined,
    Env: mergeEnvironment(theirs.Env ?? [], own.Env ?? []),
    Cmd: command,
    Entrypoint: entrypoint,
    WorkingDir: own.WorkingDir || (theirs.WorkingDir ?? ''),
    Volumes: Object.keys(volumes).length > 0 ? volumes : null,
    Labels: { ...theirs.Labels, ...own.Labels },
    StopSignal: own.StopSignal || theirs.StopSignal,
    Healthcheck: mergeHealthcheck(
      own.Healthcheck,
      Healthcheck.optional().catch(undefined).parse(theirs.Healthcheck),
    ),
    Shell: own.Shell ?? theirs.Shell,
    OnBuild: null,
  };
}

function mergeEnvironment(base: readonly string[], over: readonly string[]): string[] | null {
  const nameOf = (variable: string) => variable.split('=', 1)[0];
  const names = new Set(over.map(nameOf));
  const merged = [...over, ...base.filter((variable) => !names.has(nameOf(variable)))];
  return merged.length > 0 ? merged : null;
}

/** --mount needs its source to be there; -v makes it at the start. */
async function checkMountSources(parts: ContainerParts, mounts: readonly MountPoint[]): Promise<void> {
  for (const point of mounts) {
    if (point.type !== 'bind' || point.createsSource) continue;
    if (await pathExists(parts.sandbox.init, point.source)) continue;
    throw new InvalidParameter(
      `invalid mount config for type "bind": bind source path does not exist: ${point.source}`,
    );
  }
}

// /_ping, /version, /info, /system/df: who answers here.

import os from 'node:os';
import type { CacheRecord } from '../../build/build.ts';
import { describeCacheRecord } from '../../build/usage.ts';
import { readText } from '../../container/lab-files.ts';
import { listContainers } from '../../container/list.ts';
import { InvalidParameter } from '../../errors.ts';
import { formatNanos, nowNanos } from '../../events/clock.ts';
import { Filters } from '../../events/filters.ts';
import type { ExecParts } from '../../exec/parts.ts';
import { listImages, sharedSize } from '../../image/list.ts';
import { GO_ARCHITECTURE } from '../../image/manifest.ts';
import { LOG_DRIVERS } from '../../logger/drivers.ts';
import { DEFAULT_RUNTIME, listRuntimes } from '../../runtime/runtimes.ts';
import { IN_SANDBOX } from '../../sandbox/sandbox.ts';
import { describeVolume } from '../../volume/describe.ts';
import { measureVolumes } from '../../volume/usage.ts';
import type { Call } from '../call.ts';
import { type Route, route } from '../router.ts';
import { API_VERSION, BERTH_VERSION, MIN_API_VERSION } from '../version.ts';

/** The kernel's names of architectures, which /info uses. */
const KERNEL_ARCHITECTURE: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64' };

/** @param builds records of the build cache */
export function systemRoutes(parts: ExecParts, builds: () => Promise<CacheRecord[]>): Route[] {
  return [
    route('GET', '/_ping', ping),
    route('HEAD', '/_ping', ping),
    route('GET', '/version', (call) => call.send(200, version())),
    route('GET', '/info', async (call) => call.send(200, await info(parts))),
    route('GET', '/system/df', async (call) => call.send(200, await diskUsage(parts, call, builds))),
  ];
}

function ping(call: Call): void {
  call.res.writeHead(200, {
    'Builder-Version': '2',
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    Swarm: 'inactive',
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': call.req.method === 'HEAD' ? 0 : 2,
  });
  call.res.end(call.req.method === 'HEAD' ? undefined : 'OK');
}

function version(): Record<string, unknown> {
  const architecture = GO_ARCHITECTURE[process.arch] ?? process.arch;
  const details = {
    ApiVersion: API_VERSION,
    Arch: architecture,
    BuildTime: '',
    Experimental: 'false',
    GitCommit: '',
    GoVersion: '',
    KernelVersion: os.release(),
    MinAPIVersion: MIN_API_VERSION,
    Os: 'linux',
  };
  return {
    Platform: { Name: 'Berth' },
    Components: [{ Name: 'Engine', Version: BERTH_VERSION, Details: details }],
    Version: BERTH_VERSION,
    ApiVersion: API_VERSION,
    MinAPIVersion: MIN_API_VERSION,
    GitCommit: '',
    GoVersion: '',
    Os: 'linux',
    Arch: architecture,
    KernelVersion: os.release(),
    BuildTime: '',
  };
}

async function info(parts: ExecParts): Promise<Record<string, unknown>> {
  const { sandbox, containers, images } = parts;
  const states = containers.list().map(({ record }) => record.state.status);
  const count = (...wanted: string[]) => states.filter((state) => wanted.includes(state)).length;
  const release = (await readText(sandbox.init, '/etc/os-release')) ?? '';
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(release)?.[1] ?? '';
  return {
    ID: sandbox.id,
    Containers: states.length,
    ContainersRunning: count('running', 'restarting'),
    ContainersPaused: count('paused'),
    ContainersStopped: count('created', 'exited', 'dead'),
    Images: images.list().length,
    Driver: 'overlay2',
    DriverStatus: [
      ['Backing Filesystem', 'extfs'],
      ['Supports d_type', 'true'],
      ['Using metacopy', 'false'],
      ['Native Overlay Diff', 'false'],
      ['userxattr', 'true'],
    ],
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'null'],
      Authorization: null,
      Log: LOG_DRIVERS,
    },
    MemoryLimit: true,
    SwapLimit: parts.hasSwapLimit,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    KernelMemoryTCP: sandbox.cgroupVersion === 1,
    PidsLimit: true,
    IPv4Forwarding: true,
    BridgeNfIptables: false,
    BridgeNfIp6tables: false,
    Debug: false,
    NFd: 0,
    OomKillDisable: sandbox.cgroupVersion === 1,
    NGoroutines: 0,
    SystemTime: formatNanos(nowNanos()),
    LoggingDriver: 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: String(sandbox.cgroupVersion),
    NEventsListener: 0,
    KernelVersion: os.release(),
    OperatingSystem: field('PRETTY_NAME') || 'linux',
    OSVersion: field('VERSION_ID'),
    OSType: 'linux',
    Architecture: KERNEL_ARCHITECTURE[process.arch] ?? process.arch,
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: {
      AllowNondistributableArtifactsCIDRs: null,
      AllowNondistributableArtifactsHostnames: null,
      InsecureRegistryCIDRs: ['127.0.0.0/8'],
      IndexConfigs: { 'docker.io': { Name: 'docker.io', Mirrors: [], Secure: true, Official: true } },
      Mirrors: [],
    },
    NCPU: Math.max(1, Math.ceil(sandbox.limits.cpus)),
    MemTotal: sandbox.limits.memory,
    GenericResources: null,
    DockerRootDir: IN_SANDBOX.dockerRoot,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: sandbox.hostname,
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: BERTH_VERSION,
    Runtimes: Object.fromEntries(listRuntimes().map(({ name, program }) => [name, { path: program }])),
    DefaultRuntime: DEFAULT_RUNTIME,
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: 'docker-init',
    ContainerdCommit: { ID: '', Expected: '' },
    RuncCommit: { ID: '', Expected: '' },
    InitCommit: { ID: '', Expected: '' },
    SecurityOptions: ['name=seccomp,profile=builtin', 'name=rootless', 'name=cgroupns'],
    CDISpecDirs: [],
    Warnings: null,
  };
}

const OBJECT_TYPES = ['container', 'image', 'volume', 'build-cache'];

async function diskUsage(
  parts: ExecParts,
  call: Call,
  builds: () => Promise<CacheRecord[]>,
): Promise<Record<string, unknown>> {
  const none = Filters.parse(null, []);
  const types = call.query.getAll('type');
  const stranger = types.find((type) => !OBJECT_TYPES.includes(type));
  if (stranger !== undefined) throw new InvalidParameter(`unknown object type: ${stranger}`);
  const wants = (type: string) => types.length === 0 || types.includes(type);
  const layers = new Map(
    parts.images.list().flatMap((image) => image.layers.map((layer) => [layer.diffId, layer.unpackedSize])),
  );
  const users = parts.containers.list().map(({ record }) => record.image);
  const images = wants('image')
    ? listImages(parts.images, none).map((image) => ({
        ...image,
        SharedSize: sharedSize(parts.images, image.Id),
        Containers: users.filter((id) => id === image.Id).length,
      }))
    : null;
  const containers = wants('container')
    ? await listContainers(parts, { all: true, limit: 0, size: true, filters: none })
    : null;
  return {
    LayersSize: [...layers.values()].reduce((sum, size) => sum + size, 0),
    Images: images,
    Containers: containers,
    Volumes: wants('volume') ? await volumeUsage(parts) : null,
    BuildCache: wants('build-cache') ? (await builds()).map(describeCacheRecord) : null,
  };
}

async function volumeUsage(parts: ExecParts): Promise<Record<string, unknown>[]> {
  const volumes = parts.volumes.list();
  const sizes = await measureVolumes(
    parts,
    volumes.map((volume) => volume.name),
  );
  return volumes.map((volume, index) => ({
    ...describeVolume(volume),
    UsageData: { RefCount: parts.volumes.users(volume.name).length, Size: sizes[index] ?? 0 },
  }));
}

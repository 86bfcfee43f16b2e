// The configuration of a container as clients send it and inspect shows it: Config and HostConfig of the Docker Engine API.

import { z } from 'zod';

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const integer = z
  .number()
  .int()
  .nullish()
  .transform((value) => value ?? 0);
const strings = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? null);
const stringMap = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? null);
const emptyObjects = z
  .record(
    z.string(),
    z
      .looseObject({})
      .nullish()
      .transform(() => ({})),
  )
  .nullish();
/** a string or a list of strings (moby's strslice) */
const words = z
  .union([z.string(), z.array(z.string())])
  .nullish()
  .transform((value) => (typeof value === 'string' ? [value] : (value ?? null)));

/** nanoseconds, or a count; 0 is: not said */
const omitted = z
  .number()
  .int()
  .nullish()
  .transform((value) => value || undefined);

/** `HEALTHCHECK`: what is not said is left out. */
export const Healthcheck = z
  .object({
    Test: z.array(z.string()).nullish(),
    Interval: omitted,
    Timeout: omitted,
    StartPeriod: omitted,
    StartInterval: omitted,
    Retries: omitted,
  })
  .transform(({ Test, Interval, Timeout, StartPeriod, StartInterval, Retries }) => ({
    ...(Test ? { Test } : {}),
    ...(Interval ? { Interval } : {}),
    ...(Timeout ? { Timeout } : {}),
    ...(StartPeriod ? { StartPeriod } : {}),
    ...(StartInterval ? { StartInterval } : {}),
    ...(Retries ? { Retries } : {}),
  }));
export type Healthcheck = z.infer<typeof Healthcheck>;

/** `Config`: what is the image's and the user's about the process. */
export const ContainerConfig = z.object({
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ExposedPorts: emptyObjects.transform((value) => value ?? undefined),
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: strings,
  Cmd: words,
  Healthcheck: Healthcheck.nullish().transform((value) => value ?? undefined),
  Image: text,
  Volumes: emptyObjects.transform((value) => value ?? null),
  WorkingDir: text,
  Entrypoint: words,
  NetworkDisabled: z.boolean().optional(),
  MacAddress: z.string().optional(),
  OnBuild: strings,
  Labels: stringMap.transform((value) => value ?? {}),
  StopSignal: z.string().optional(),
  StopTimeout: z
    .number()
    .int()
    .nullish()
    .transform((value) => value ?? undefined),
  Shell: z
    .array(z.string())
    .nullish()
    .transform((value) => value ?? undefined),
});
export type ContainerConfig = z.infer<typeof ContainerConfig>;

const PortBinding = z.object({ HostIp: text, HostPort: text });
export type PortBinding = z.infer<typeof PortBinding>;

/** Kept as it was sent, since inspect shows it so; null is as good as absent. */
function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

const Mount = z.object({
  Type: text,
  Source: optional(z.string()),
  Target: text,
  ReadOnly: optional(z.boolean()),
  Consistency: optional(z.string()),
  BindOptions: optional(
    z.object({
      Propagation: optional(z.string()),
      NonRecursive: optional(z.boolean()),
      CreateMountpoint: optional(z.boolean()),
      ReadOnlyNonRecursive: optional(z.boolean()),
      ReadOnlyForceRecursive: optional(z.boolean()),
    }),
  ),
  VolumeOptions: optional(
    z.object({
      NoCopy: optional(z.boolean()),
      Labels: optional(z.record(z.string(), z.string())),
      Subpath: optional(z.string()),
      DriverConfig: optional(
        z.object({
          Name: optional(z.string()),
          Options: optional(z.record(z.string(), z.string())),
        }),
      ),
    }),
  ),
  TmpfsOptions: optional(
    z.object({
      SizeBytes: optional(z.number().int()),
      Mode: optional(z.number().int()),
      Options: optional(z.array(z.array(z.string()))),
    }),
  ),
});
export type MountRequest = z.infer<typeof Mount>;

export const RestartPolicy = z
  .object({ Name: text, MaximumRetryCount: integer })
  .nullish()
  .transform((value) => ({ Name: value?.Name || 'no', MaximumRetryCount: value?.MaximumRetryCount ?? 0 }));
export type RestartPolicy = z.infer<typeof RestartPolicy>;

const Ulimit = z.object({ Name: z.string(), Soft: z.number().int(), Hard: z.number().int() });
const anyList = z
  .array(z.unknown())
  .nullish()
  .transform((value) => value ?? []);
const anyListOrNull = z
  .array(z.unknown())
  .nullish()
  .transform((value) => value ?? null);

/** `HostConfig`: what is this machine's about the container. Every field that clients send; unsupported.ts says which are refused. */
export const HostConfig = z.object({
  Binds: strings,
  ContainerIDFile: text,
  LogConfig: z
    .object({ Type: text, Config: stringMap })
    .nullish()
    .transform((value) => ({ Type: value?.Type || 'json-file', Config: value?.Config ?? {} })),
  NetworkMode: text,
  PortBindings: z
    .record(z.string(), z.array(PortBinding).nullish())
    .nullish()
    .transform((value) =>
      Object.fromEntries(Object.entries(value ?? {}).map(([port, list]) => [port, list ?? []])),
    ),
  RestartPolicy,
  AutoRemove: flag,
  VolumeDriver: text,
  VolumesFrom: strings,
  ConsoleSize: z
    .tuple([z.number().int(), z.number().int()])
    .nullish()
    .transform((value) => value ?? [0, 0]),
  Annotations: z
    .record(z.string(), z.string())
    .nullish()
    .transform((value) => value ?? undefined),
  CapAdd: strings,
  CapDrop: strings,
  CgroupnsMode: text,
  Dns: strings.transform((value) => value ?? []),
  DnsOptions: strings.transform((value) => value ?? []),
  DnsSearch: strings.transform((value) => value ?? []),
  ExtraHosts: strings,
  GroupAdd: strings,
  IpcMode: text,
  Cgroup: text,
  Links: strings,
  OomScoreAdj: integer,
  PidMode: text,
  Privileged: flag,
  PublishAllPorts: flag,
  ReadonlyRootfs: flag,
  SecurityOpt: strings,
  StorageOpt: z
    .record(z.string(), z.string())
    .nullish()
    .transform((value) => value ?? undefined),
  Tmpfs: z
    .record(z.string(), z.string())
    .nullish()
    .transform((value) => value ?? undefined),
  UTSMode: text,
  UsernsMode: text,
  ShmSize: integer,
  Sysctls: z
    .record(z.string(), z.string())
    .nullish()
    .transform((value) => value ?? undefined),
  Runtime: text,
  Isolation: text,
  CpuShares: integer,
  Memory: integer,
  NanoCpus: integer,
  CgroupParent: text,
  BlkioWeight: integer,
  BlkioWeightDevice: anyList,
  BlkioDeviceReadBps: anyList,
  BlkioDeviceWriteBps: anyList,
  BlkioDeviceReadIOps: anyList,
  BlkioDeviceWriteIOps: anyList,
  CpuPeriod: integer,
  CpuQuota: integer,
  CpuRealtimePeriod: integer,
  CpuRealtimeRuntime: integer,
  CpusetCpus: text,
  CpusetMems: text,
  Devices: z
    .array(z.looseObject({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text }))
    .max(100)
    .nullish()
    .transform((value) => value ?? []),
  DeviceCgroupRules: anyListOrNull,
  DeviceRequests: anyListOrNull,
  KernelMemory: z.number().int().optional(),
  KernelMemoryTCP: z.number().int().optional(),
  MemoryReservation: integer,
  MemorySwap: integer,
  MemorySwappiness: z
    .number()
    .int()
    .nullish()
    .transform((value) => value ?? null),
  OomKillDisable: flag,
  Init: z
    .boolean()
    .nullish()
    .transform((value) => value ?? undefined),
  PidsLimit: z
    .number()
    .int()
    .nullish()
    .transform((value) => value ?? null),
  Ulimits: z
    .array(Ulimit)
    .nullish()
    .transform((value) => value ?? []),
  CpuCount: integer,
  CpuPercent: integer,
  IOMaximumIOps: integer,
  IOMaximumBandwidth: integer,
  Mounts: z
    .array(Mount)
    .nullish()
    .transform((value) => value ?? undefined),
  MaskedPaths: z
    .array(z.string())
    .nullish()
    .transform((value) => value ?? null),
  ReadonlyPaths: z
    .array(z.string())
    .nullish()
    .transform((value) => value ?? null),
});
export type HostConfig = z.infer<typeof HostConfig>;

/** An endpoint as create and connect ask for it. */
export const EndpointRequest = z.looseObject({
  IPAMConfig: z
    .looseObject({ IPv4Address: z.string().optional(), IPv6Address: z.string().optional() })
    .nullish(),
  Links: z.array(z.string()).nullish(),
  Aliases: z.array(z.string()).nullish(),
  MacAddress: z.string().nullish(),
  DriverOpts: z.record(z.string(), z.string()).nullish(),
  GwPriority: z.number().int().nullish(),
});
export type EndpointRequest = z.infer<typeof EndpointRequest>;

/** The body of POST /containers/create: Config's fields, with HostConfig and NetworkingConfig beside them. */
export const CreateRequest = z.looseObject({
  HostConfig: HostConfig.nullish(),
  NetworkingConfig: z
    .looseObject({ EndpointsConfig: z.record(z.string(), EndpointRequest.nullish()).nullish() })
    .nullish(),
});

// The parts of the Docker Engine API's answers (v1.47, ContainerInspect and ImageInspect) that checks read.

import { z } from 'zod';

const list = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? []);
const map = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});
const keys = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((value) => Object.keys(value ?? {}));

/** One row of GET /containers/json. */
export const ContainerSummary = z.looseObject({
  Id: z.string(),
  Names: list,
  Image: z.string(),
  State: z.string(),
});
export type ContainerSummary = z.output<typeof ContainerSummary>;

const Binding = z.looseObject({ HostIp: z.string().default(''), HostPort: z.string().default('') });

/** GET /containers/{id}/json. */
export const ContainerDetail = z.looseObject({
  Id: z.string(),
  Name: z.string().transform((value) => value.replace(/^\//, '')),
  Image: z.string(),
  Path: z.string().default(''),
  Args: list,
  RestartCount: z.number().default(0),
  State: z.looseObject({
    Status: z.string(),
    Pid: z.number().default(0),
    ExitCode: z.number().default(0),
    Health: z.looseObject({ Status: z.string() }).nullish(),
  }),
  Config: z.looseObject({
    Image: z.string().default(''),
    Hostname: z.string().default(''),
    User: z.string().default(''),
    Env: list,
    Labels: map,
  }),
  HostConfig: z.looseObject({
    Memory: z.number().nullish(),
    NanoCpus: z.number().nullish(),
    CpuQuota: z.number().nullish(),
    CpuPeriod: z.number().nullish(),
    PidsLimit: z.number().nullish(),
    NetworkMode: z.string().default('default'),
    ReadonlyRootfs: z.boolean().default(false),
    RestartPolicy: z.looseObject({ Name: z.string().default('') }).nullish(),
  }),
  Mounts: z
    .array(
      z.looseObject({
        Type: z.string(),
        Name: z.string().optional(),
        Source: z.string().default(''),
        Destination: z.string(),
        RW: z.boolean().default(true),
      }),
    )
    .nullish()
    .transform((value) => value ?? []),
  NetworkSettings: z.looseObject({
    Ports: z
      .record(z.string(), z.array(Binding).nullable())
      .nullish()
      .transform((value) => value ?? {}),
    Networks: z
      .record(z.string(), z.looseObject({ IPAddress: z.string().default('') }))
      .nullish()
      .transform((value) => value ?? {}),
  }),
  GraphDriver: z.looseObject({ Data: map }).nullish(),
});
export type ContainerDetail = z.output<typeof ContainerDetail>;

/** GET /images/{name}/json. */
export const ImageDetail = z.looseObject({
  Id: z.string(),
  RepoTags: list,
  Size: z.number(),
  Config: z
    .looseObject({
      User: z.string().default(''),
      Env: list,
      Cmd: list,
      Entrypoint: list,
      ExposedPorts: keys,
      Labels: map,
      WorkingDir: z.string().default(''),
    })
    .nullish(),
  RootFS: z.looseObject({ Layers: list }),
});
export type ImageDetail = z.output<typeof ImageDetail>;

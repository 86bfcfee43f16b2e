// The documents of the OCI image-spec that Berth reads and writes: manifest and image configuration.

import { z } from 'zod';

export const MEDIA_TYPES = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

/** A content address: sha256 only, since that is all that Berth makes. */
export const Sha256Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

export const Descriptor = z.looseObject({
  mediaType: z.string(),
  digest: Sha256Digest,
  size: z.number().int().nonnegative(),
});

/** image-spec manifest.md */
export const OciManifest = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  config: Descriptor,
  layers: z.array(Descriptor),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type OciManifest = z.infer<typeof OciManifest>;

const Healthcheck = z.looseObject({
  Test: z.array(z.string()).optional(),
  Interval: z.number().optional(),
  Timeout: z.number().optional(),
  StartPeriod: z.number().optional(),
  StartInterval: z.number().optional(),
  Retries: z.number().optional(),
});

/** The `config` of an image configuration: what containers made from the image start with. */
export const OciContainerConfig = z.looseObject({
  User: z.string().optional(),
  ExposedPorts: z.record(z.string(), z.object({})).optional(),
  Env: z.array(z.string()).optional(),
  Entrypoint: z.array(z.string()).nullish(),
  Cmd: z.array(z.string()).nullish(),
  Volumes: z.record(z.string(), z.object({})).nullish(),
  WorkingDir: z.string().optional(),
  Labels: z.record(z.string(), z.string()).nullish(),
  StopSignal: z.string().optional(),
  ArgsEscaped: z.boolean().optional(),
  /** Docker's own fields beside the image-spec's */
  Healthcheck: Healthcheck.optional(),
  OnBuild: z.array(z.string()).nullish(),
  Shell: z.array(z.string()).optional(),
});
export type OciContainerConfig = z.infer<typeof OciContainerConfig>;

const History = z.looseObject({
  created: z.string().optional(),
  created_by: z.string().optional(),
  author: z.string().optional(),
  comment: z.string().optional(),
  empty_layer: z.boolean().optional(),
});

/** image-spec config.md */
export const OciImageConfig = z.looseObject({
  created: z.string().optional(),
  author: z.string().optional(),
  architecture: z.string(),
  os: z.string(),
  variant: z.string().optional(),
  config: OciContainerConfig.optional(),
  rootfs: z.looseObject({ type: z.literal('layers'), diff_ids: z.array(Sha256Digest) }),
  history: z.array(History).optional(),
});
export type OciImageConfig = z.infer<typeof OciImageConfig>;

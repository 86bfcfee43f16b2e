// What is recorded of a volume, one file each, so that it survives the engine.

import { z } from 'zod';

export const VolumeRecord = z.object({
  name: z.string(),
  /** RFC 3339, in seconds */
  created: z.string(),
  labels: z.record(z.string(), z.string()).nullable(),
  /** of the driver: type, o, device */
  options: z.record(z.string(), z.string()).nullable(),
  /** `making`: nobody was told of it yet; `removing`: its files are being removed. A crash leaves these for the reconciler. */
  state: z.enum(['making', 'ready', 'removing']),
});
export type VolumeRecord = z.infer<typeof VolumeRecord>;

/** The label that Docker gives to volumes without a name of the user's; prune takes these only. */
export const ANONYMOUS_LABEL = 'com.docker.volume.anonymous';

/** The only driver there is. */
export const LOCAL_DRIVER = 'local';

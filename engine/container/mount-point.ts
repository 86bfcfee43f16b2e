// A mount of a container as it is recorded: what is mounted where, and how; and as the API shows it.

import { z } from 'zod';
import { volumeData } from '../volume/files.ts';
import { LOCAL_DRIVER } from '../volume/record.ts';

export const MountPoint = z.object({
  type: z.enum(['bind', 'volume', 'tmpfs']),
  /** of a volume; '' until an anonymous one has been given one */
  name: z.string(),
  /** of a bind: a path of the lab host */
  source: z.string(),
  destination: z.string(),
  /** as the user wrote it in -v */
  mode: z.string(),
  writable: z.boolean(),
  /** of a tmpfs: mount options */
  options: z.array(z.string()),
  /** of a bind: rprivate, rshared and so on */
  propagation: z.string(),
  /** -v makes a source that is not there, --mount refuses it */
  createsSource: z.boolean(),
  /** of a bind: without what is mounted below the source */
  nonRecursive: z.boolean(),
  /** read-only for what is mounted below it, too */
  recursiveReadOnly: z.boolean(),
  /** from --tmpfs or --mount type=tmpfs: inspect lists only the latter */
  isListed: z.boolean(),
  /** a volume that its driver's options (o=ro) mount read-only */
  isReadOnlyByDriver: z.boolean(),
  /** a volume without a name of the user's, which goes with the container when asked for */
  isAnonymous: z.boolean(),
  /** an empty volume gets what the image has there */
  isFilled: z.boolean(),
  /** of a volume: mounted from this path in it, '' for all of it */
  subpath: z.string(),
});
export type MountPoint = z.infer<typeof MountPoint>;

/** What all kinds of mounts have in common unless something else is said. */
export const PLAIN: Omit<MountPoint, 'type' | 'destination'> = {
  name: '',
  source: '',
  mode: '',
  writable: true,
  options: [],
  propagation: '',
  createsSource: false,
  nonRecursive: false,
  recursiveReadOnly: false,
  isListed: true,
  isReadOnlyByDriver: false,
  isAnonymous: false,
  isFilled: false,
  subpath: '',
};

/** The path in the lab host that shows up in the container; '' for a tmpfs. */
export function sourceOf(point: MountPoint): string {
  return point.type === 'volume' ? volumeData(point.name) : point.source;
}

/** Names of the volumes among the mounts. */
export function volumeNames(mounts: readonly MountPoint[]): string[] {
  return mounts.filter((point) => point.type === 'volume').map((point) => point.name);
}

/** `Mounts` of inspect and list. */
export function describeMounts(mounts: readonly MountPoint[]): Record<string, unknown>[] {
  return mounts
    .filter((point) => point.isListed)
    .map((point) => ({
      Type: point.type,
      ...(point.type === 'volume' ? { Name: point.name } : {}),
      Source: sourceOf(point),
      Destination: point.destination,
      ...(point.type === 'volume' ? { Driver: LOCAL_DRIVER } : {}),
      Mode: point.mode,
      RW: point.writable,
      Propagation: point.propagation,
    }));
}

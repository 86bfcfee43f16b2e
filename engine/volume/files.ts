// Where volumes lie in a sandbox.

import { IN_SANDBOX } from '../sandbox/sandbox.ts';

/** A volume's own directory. */
export function volumeDir(name: string): string {
  return `${IN_SANDBOX.dockerRoot}/volumes/${name}`;
}

/** What containers see of it, and where a driver option mounts something: `Mountpoint`. */
export function volumeData(name: string): string {
  return `${volumeDir(name)}/_data`;
}

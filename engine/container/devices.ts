// --device: device nodes of the lab host, bound into the container. A user namespace cannot make nodes of its own.

import { InvalidParameter, SystemError } from '../errors.ts';
import type { OciMount } from '../runtime/oci.ts';
import type { InitApi } from '../sandbox/init-types.ts';
import type { HostConfig } from './config.ts';
import { pathExists } from './lab-files.ts';

type Device = HostConfig['Devices'][number];

/** Throws for permissions that are none, and paths that are no path. */
export function validateDevices({ Devices }: HostConfig): void {
  for (const { PathOnHost, PathInContainer, CgroupPermissions } of Devices) {
    if (CgroupPermissions !== '' && !/^[rwm]{1,3}$/.test(CgroupPermissions)) {
      throw new InvalidParameter(`invalid device mode: ${CgroupPermissions}`);
    }
    for (const path of [PathOnHost, PathInContainer]) {
      if (path !== '' && (!path.startsWith('/') || path.includes('\0') || path.split('/').includes('..'))) {
        throw new InvalidParameter(`invalid device path: ${path}`);
      }
    }
  }
}

/** Throws, in Docker's words, when a device is not there. */
export async function checkDevices(init: InitApi, { Devices }: HostConfig): Promise<void> {
  for (const { PathOnHost } of Devices) {
    if (await pathExists(init, PathOnHost)) continue;
    throw new SystemError(
      `error gathering device information while adding custom device "${PathOnHost}": no such file or directory`,
    );
  }
}

/** Read-only where only reading was asked for; the kernel has no finer rule for a device in a user namespace. */
export function deviceMounts({ Devices }: HostConfig): OciMount[] {
  return Devices.map(({ PathOnHost, PathInContainer, CgroupPermissions }: Device) => ({
    destination: PathInContainer || PathOnHost,
    type: 'bind',
    source: PathOnHost,
    options: ['bind', 'nosuid', 'noexec', CgroupPermissions === 'r' ? 'ro' : 'rw'],
  }));
}

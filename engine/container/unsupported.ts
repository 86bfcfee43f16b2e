// Options of a container that Berth does not honor: refused by name, never silently ignored.

import { InvalidParameter, NotImplemented } from '../errors.ts';
import { isRuntime } from '../runtime/runtimes.ts';
import type { HostConfig } from './config.ts';

/** An option, and whether a request really asks for something by it. */
type Check<T> = readonly [option: string, isAsked: (config: T) => boolean];

const isFull = (list: readonly unknown[] | null | undefined) => (list?.length ?? 0) > 0;

const HOST_OPTIONS: readonly Check<HostConfig>[] = [
  ['--userns', (h) => h.UsernsMode !== '' && h.UsernsMode !== 'host'],
  ['--blkio-weight-device', (h) => isFull(h.BlkioWeightDevice)],
  ['--device-read-bps', (h) => isFull(h.BlkioDeviceReadBps)],
  ['--device-write-bps', (h) => isFull(h.BlkioDeviceWriteBps)],
  ['--device-read-iops', (h) => isFull(h.BlkioDeviceReadIOps)],
  ['--device-write-iops', (h) => isFull(h.BlkioDeviceWriteIOps)],
  ['--device-cgroup-rule', (h) => isFull(h.DeviceCgroupRules)],
  ['--kernel-memory', (h) => (h.KernelMemory ?? 0) !== 0 || (h.KernelMemoryTCP ?? 0) !== 0],
  ['CpuCount', (h) => h.CpuCount !== 0],
  ['CpuPercent', (h) => h.CpuPercent !== 0],
  ['IOMaximumIOps', (h) => h.IOMaximumIOps !== 0],
  ['IOMaximumBandwidth', (h) => h.IOMaximumBandwidth !== 0],
];

/** Throws NotImplemented naming the first option that Berth does not honor yet. */
export function refuseUnsupported(hostConfig: HostConfig): void {
  const asked = HOST_OPTIONS.find(([, isAsked]) => isAsked(hostConfig));
  if (asked) throw new NotImplemented(`${asked[0]} is not supported by Berth yet`);
  if (Object.keys(hostConfig.StorageOpt ?? {}).length > 0) {
    throw new InvalidParameter(
      "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
    );
  }
  if (hostConfig.CpuRealtimePeriod !== 0 || hostConfig.CpuRealtimeRuntime !== 0) {
    throw new InvalidParameter('Your kernel does not support CPU real-time scheduler');
  }
  if (isFull(hostConfig.DeviceRequests)) {
    throw new InvalidParameter('could not select device driver "" with capabilities: [[gpu]]');
  }
  if (hostConfig.Runtime !== '' && !isRuntime(hostConfig.Runtime)) {
    throw new InvalidParameter(`unknown or invalid runtime name: ${hostConfig.Runtime}`);
  }
}

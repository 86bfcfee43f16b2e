// What is recorded of a container, one file each, so that it survives the engine; and its state as Docker names it.

import { z } from 'zod';
import { ZERO_TIME } from '../events/clock.ts';
import { Attachment, Endpoint, plainAttachment } from '../network/record.ts';
import { ContainerConfig, HostConfig } from './config.ts';
import { MountPoint } from './mount-point.ts';
import { requestedMounts } from './mounts.ts';

const ProbeResult = z.object({
  /** RFC 3339 with nanoseconds */
  start: z.string(),
  end: z.string(),
  /** 0 is healthy; -1 when the probe could not be run or took too long */
  exitCode: z.number().int(),
  output: z.string(),
});
export type ProbeResult = z.infer<typeof ProbeResult>;

const Health = z.object({
  status: z.enum(['starting', 'healthy', 'unhealthy']),
  failingStreak: z.number().int(),
  /** oldest first */
  log: z.array(ProbeResult),
});
export type Health = z.infer<typeof Health>;

const State = z.object({
  status: z.enum(['created', 'running', 'paused', 'restarting', 'exited', 'dead']),
  pid: z.number().int(),
  exitCode: z.number().int(),
  error: z.string(),
  startedAt: z.string(),
  finishedAt: z.string(),
  oomKilled: z.boolean(),
  /** of a container with a health check that has been started */
  health: Health.optional(),
});
export type ContainerState = z.infer<typeof State>;

const Stored = z.object({
  id: z.string().regex(/^[0-9a-f]{64}$/),
  name: z.string(),
  /** RFC 3339 with nanoseconds */
  created: z.string(),
  /** image id */
  image: z.string(),
  /** directory names of the image's layers, top first */
  layers: z.array(z.string()),
  path: z.string(),
  args: z.array(z.string()),
  config: ContainerConfig,
  hostConfig: HostConfig,
  /** parents first */
  mounts: z.array(MountPoint).optional(),
  /** the networks that it is connected to, or will be at its start; that of its mode first */
  networks: z.array(Attachment).optional(),
  /** of records of engines before user-defined networks: a MAC address asked for, its place on the bridge */
  mac: z.string().optional(),
  endpoint: Endpoint.nullish(),
  state: State,
  /** what the engine had begun when the record was written; a crash leaves it for the reconciler */
  intent: z.enum(['none', 'starting', 'removing']),
  /** the user stopped it, so that no restart policy starts it again */
  stoppedByUser: z.boolean(),
  /** its removal takes its anonymous volumes along (docker rm -v) */
  removesVolumes: z.boolean().default(false),
  restartCount: z.number().int(),
  /** id of its network namespace; its first 12 digits name the file under /run/docker/netns */
  networkSandbox: z.string(),
});
/** Records of older engines have no lists of mounts and networks: theirs are what the configuration says. */
export const ContainerRecord = Stored.transform(({ mac, endpoint, ...record }) => ({
  ...record,
  networks: record.networks ?? onlyNetwork(record.hostConfig.NetworkMode, mac, endpoint),
  mounts: record.mounts ?? requestedMounts(record.config, record.hostConfig, () => []),
}));
export type ContainerRecord = z.infer<typeof ContainerRecord>;

function onlyNetwork(mode: string, mac = '', endpoint: Endpoint | null = null): Attachment[] {
  return mode.startsWith('container:') ? [] : [{ ...plainAttachment(mode), mac, endpoint }];
}

export const NEW_STATE: ContainerState = {
  status: 'created',
  pid: 0,
  exitCode: 0,
  error: '',
  startedAt: ZERO_TIME,
  finishedAt: ZERO_TIME,
  oomKilled: false,
};

/** Running as Docker means it: a paused container runs too. */
export function isRunning(record: ContainerRecord): boolean {
  return record.state.status === 'running' || record.state.status === 'paused';
}

// docker update: limits of a container that exists, at once when it runs, and its restart policy.

import { z } from 'zod';
import { Conflict, InvalidParameter, SystemError } from '../errors.ts';
import { runtimeCommand } from '../runtime/runtimes.ts';
import { StartFailed } from '../sandbox/init-types.ts';
import type { HostConfig } from './config.ts';
import type { Container } from './container.ts';
import type { ContainerParts } from './parts.ts';
import { isRunning } from './record.ts';
import { resources } from './spec.ts';
import { validateLimits } from './validate.ts';

const number = z.number().int().nullish();

/** POST /containers/{id}/update: what is absent or 0 stays as it is. */
export const UpdateRequest = z.looseObject({
  CpuShares: number,
  CpuPeriod: number,
  CpuQuota: number,
  CpusetCpus: z.string().nullish(),
  CpusetMems: z.string().nullish(),
  NanoCpus: number,
  Memory: number,
  MemoryReservation: number,
  MemorySwap: number,
  PidsLimit: number,
  BlkioWeight: number,
  RestartPolicy: z
    .looseObject({ Name: z.string().default(''), MaximumRetryCount: z.number().int().default(0) })
    .nullish(),
});
export type UpdateRequest = z.infer<typeof UpdateRequest>;

/** Changes the limits; nothing is changed when the kernel refuses one. */
export function updateContainer(
  parts: ContainerParts,
  container: Container,
  request: UpdateRequest,
): Promise<void> {
  return container.lock.run(async () => {
    const { record } = container;
    if (record.intent === 'removing' || record.state.status === 'dead') {
      throw cannot(container.id, 'Container is marked for removal and cannot be "update".');
    }
    const hostConfig = merge(record.hostConfig, request, (why) => cannot(container.id, why));
    validateLimits(hostConfig, parts.sandbox.limits);
    if (isRunning(record)) await apply(parts, container, hostConfig);
    await parts.containers.update(container, { hostConfig });
    parts.events.publish('container', 'update', container.id, container.attributes);
  });
}

function cannot(id: string, why: string): Conflict {
  return new Conflict(`Cannot update container ${id}: ${why}`);
}

function merge(own: HostConfig, request: UpdateRequest, refuse: (why: string) => Conflict): HostConfig {
  const { NanoCpus, CpuPeriod, CpuQuota, Memory, MemorySwap, RestartPolicy } = request;
  if (NanoCpus && (own.CpuPeriod > 0 || own.CpuQuota > 0)) {
    throw refuse('Conflicting options: Nano CPUs cannot be updated as CPU Period/Quota has already been set');
  }
  if (CpuPeriod && own.NanoCpus > 0) {
    throw refuse('Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set');
  }
  if (CpuQuota && own.NanoCpus > 0) {
    throw refuse('Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set');
  }
  if (Memory && !MemorySwap && own.MemorySwap !== -1 && Memory > own.MemorySwap) {
    throw refuse(
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    );
  }
  if (RestartPolicy?.Name && own.AutoRemove && RestartPolicy.Name !== 'no') {
    throw refuse('Restart policy cannot be updated because AutoRemove is enabled for the container');
  }
  return {
    ...own,
    CpuShares: request.CpuShares || own.CpuShares,
    CpuPeriod: CpuPeriod || own.CpuPeriod,
    CpuQuota: CpuQuota || own.CpuQuota,
    CpusetCpus: request.CpusetCpus || own.CpusetCpus,
    CpusetMems: request.CpusetMems || own.CpusetMems,
    NanoCpus: NanoCpus || own.NanoCpus,
    Memory: Memory || own.Memory,
    MemoryReservation: request.MemoryReservation || own.MemoryReservation,
    MemorySwap: MemorySwap || own.MemorySwap,
    PidsLimit: request.PidsLimit ?? own.PidsLimit,
    RestartPolicy: RestartPolicy?.Name
      ? { Name: RestartPolicy.Name, MaximumRetryCount: RestartPolicy.MaximumRetryCount }
      : own.RestartPolicy,
  };
}

async function apply(parts: ContainerParts, container: Container, hostConfig: HostConfig): Promise<void> {
  const limits = resources(hostConfig, parts.hasSwapLimit);
  // A limit that is lifted must be said, or the runtime leaves it as it is.
  const pids = { limit: (hostConfig.PidsLimit ?? 0) > 0 ? (hostConfig.PidsLimit ?? 0) : -1 };
  try {
    await parts.sandbox.init.start([
      {
        kind: 'exec',
        argv: runtimeCommand(hostConfig.Runtime, 'update', '--resources=-', container.id),
        stdin: JSON.stringify({ ...limits, pids }),
      },
    ]);
  } catch (error) {
    if (!(error instanceof StartFailed)) throw error;
    throw new SystemError(`Cannot update container ${container.id}: ${error.text.trim()}`, { cause: error });
  }
}

/** Refuses a request that says nothing that could be meant. */
export function checkRestartPolicy({ RestartPolicy }: UpdateRequest): void {
  const name = RestartPolicy?.Name ?? '';
  if (!['', 'no', 'always', 'on-failure', 'unless-stopped'].includes(name)) {
    throw new InvalidParameter(
      `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
}

// What each parameter of the check `container` compares in what `docker inspect` says.

import type { z } from 'zod';
import type { ContainerParameters, WantedMount, WantedPort } from './container-schema.ts';
import type { ContainerDetail } from './docker.ts';
import { type Expectations, entries, environmentMap, same } from './expectation.ts';
import { normalizeReference } from './reference.ts';
import { describeRange, inRange, showBytes } from './schema.ts';
import { excerpt } from './text-match.ts';

type Parameters = z.output<typeof ContainerParameters>;

/** A container, and the id that the wanted image's reference stands for now. */
export interface ContainerSubject {
  container: ContainerDetail;
  wantedImageId: string | undefined;
}

export const containerExpectations: Expectations<Parameters, ContainerSubject> = {
  state: (wanted, { container }) => ({
    met: wanted.some((state) => state === container.State.Status),
    expected: wanted.join(' or '),
    found: container.State.Status,
  }),
  image: (wanted, { container, wantedImageId }) => ({
    met: isSameImage(wanted, wantedImageId, container),
    expected: `image ${wanted}`,
    found: `image ${container.Config.Image || container.Image}`,
  }),
  exit: (wanted, { container }) => {
    const ended = container.State.Status === 'exited' || container.State.Status === 'dead';
    return {
      met: ended && inRange(container.State.ExitCode, wanted),
      expected: `exit code ${describeRange(wanted)}`,
      found: ended ? `exit code ${container.State.ExitCode}` : `still ${container.State.Status}`,
    };
  },
  ports: (wanted, { container }) => {
    const missing = wanted.filter((port) => !isPublished(port, container));
    return {
      met: missing.length === 0,
      expected: `port ${missing.map((port) => port.text).join(', ')} published`,
      found: publishedPorts(container),
    };
  },
  env: (wanted, { container }) => entries('variable', wanted, environmentMap(container.Config.Env)),
  labels: (wanted, { container }) => entries('label', wanted, container.Config.Labels),
  command: (wanted, { container }) => {
    const command = [container.Path, ...container.Args].join(' ');
    return {
      met: command.includes(wanted),
      expected: `command with "${wanted}"`,
      found: `command "${excerpt(command)}"`,
    };
  },
  user: (wanted, { container }) => same('user', wanted, container.Config.User),
  hostname: (wanted, { container }) => same('hostname', wanted, container.Config.Hostname),
  health: (wanted, { container }) => same('health', wanted, container.State.Health?.Status ?? 'none'),
  restarts: (wanted, { container }) => ({
    met: inRange(container.RestartCount, wanted),
    expected: `restarted ${describeRange(wanted)} times`,
    found: `restarted ${container.RestartCount} times`,
  }),
  restart: (wanted, { container }) =>
    same('restart policy', wanted, container.HostConfig.RestartPolicy?.Name || 'no'),
  networks: (wanted, { container }) => {
    const found = Object.keys(container.NetworkSettings.Networks);
    const mode = container.HostConfig.NetworkMode;
    if (mode === 'none' || mode === 'host') found.push(mode);
    return {
      met: wanted.every((network) => found.includes(network)),
      expected: `network ${wanted.join(', ')}`,
      found: found.length === 0 ? 'no network' : `network ${[...new Set(found)].join(', ')}`,
    };
  },
  mounts: (wanted, { container }) => {
    const missing = wanted.filter((mount) => !isMounted(mount, container));
    const found = container.Mounts.map(
      (mount) => `${mount.Name ?? mount.Source}:${mount.Destination}${mount.RW ? '' : ':ro'}`,
    );
    return {
      met: missing.length === 0,
      expected: `mount ${missing.map((mount) => mount.text).join(', ')}`,
      found: found.length === 0 ? 'nothing mounted' : `mounted ${found.join(', ')}`,
    };
  },
  readonly: (wanted, { container }) =>
    same(
      'root file system',
      wanted ? 'read-only' : 'writable',
      container.HostConfig.ReadonlyRootfs ? 'read-only' : 'writable',
    ),
  limits: (wanted, { container }) => {
    const limits = limitsOf(container);
    const unmet = [
      { name: 'memory', wanted: wanted.memory, found: limits.memory, show: showBytes },
      { name: 'cpus', wanted: wanted.cpus, found: limits.cpus, show: String },
      { name: 'pids', wanted: wanted.pids, found: limits.pids, show: String },
    ].filter((limit) => limit.wanted !== undefined && limit.wanted !== limit.found);
    return {
      met: unmet.length === 0,
      expected: unmet.map(({ name, wanted = 0, show }) => `${name} limit ${show(wanted)}`).join(', '),
      found: unmet
        .map(({ name, found, show }) => (found ? `${name} limit ${show(found)}` : `no ${name} limit`))
        .join(', '),
    };
  },
};

function isSameImage(wanted: string, wantedId: string | undefined, container: ContainerDetail): boolean {
  if (wantedId !== undefined && wantedId === container.Image) return true;
  return normalizeReference(container.Config.Image) === normalizeReference(wanted);
}

function isPublished(wanted: WantedPort, container: ContainerDetail): boolean {
  const bindings = container.NetworkSettings.Ports[wanted.container] ?? [];
  return bindings.some(
    (binding) =>
      (wanted.host === undefined || binding.HostPort === wanted.host) &&
      (wanted.address === undefined || binding.HostIp === wanted.address),
  );
}

function publishedPorts(container: ContainerDetail): string {
  const ports = Object.entries(container.NetworkSettings.Ports).flatMap(([port, bindings]) =>
    (bindings ?? []).map((binding) => `${binding.HostPort}:${port}`),
  );
  if (ports.length > 0) return `published: ${[...new Set(ports)].join(', ')}`;
  return container.State.Status === 'running'
    ? 'no published ports'
    : `no published ports while ${container.State.Status}`;
}

function isMounted(wanted: WantedMount, container: ContainerDetail): boolean {
  return container.Mounts.some(
    (mount) =>
      mount.Destination === wanted.destination &&
      (wanted.source === undefined || mount.Name === wanted.source || mount.Source === wanted.source) &&
      (wanted.access === undefined || mount.RW === (wanted.access === 'rw')),
  );
}

function limitsOf({ HostConfig }: ContainerDetail): { memory: number; cpus: number; pids: number } {
  const quota = HostConfig.CpuQuota ?? 0;
  const cpus = HostConfig.NanoCpus ? HostConfig.NanoCpus / 1e9 : quota / (HostConfig.CpuPeriod || 100_000);
  return { memory: HostConfig.Memory ?? 0, cpus, pids: HostConfig.PidsLimit ?? 0 };
}

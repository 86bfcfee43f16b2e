// How a container's state, ports and networks read in list and inspect.

import { nowNanos, parseRfc3339, ZERO_TIME } from '../events/clock.ts';
import { netnsPath } from '../network/bridge.ts';
import type { Networks } from '../network/networks.ts';
import type { Attachment } from '../network/record.ts';
import { dnsNames } from './attachments.ts';
import type { ContainerRecord, Health } from './record.ts';

const UNITS: readonly [limit: number, seconds: number, one: string, many: string][] = [
  [60, 1, '1 second', 'seconds'],
  [3600, 60, 'About a minute', 'minutes'],
];

/** Docker's words for a duration (go-units HumanDuration). */
export function humanDuration(nanos: bigint): string {
  const seconds = Number(nanos / 1_000_000_000n);
  if (seconds < 1) return 'Less than a second';
  for (const [limit, unit, one, many] of UNITS) {
    const count = Math.floor(seconds / unit);
    if (seconds < limit) return count === 1 ? one : `${count} ${many}`;
  }
  const hours = Math.floor(seconds / 3600 + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 14) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 60) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 730) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(seconds / 3600 / 24 / 365)} years`;
}

/** `Status` of docker ps: "Up 3 minutes", "Exited (0) 5 seconds ago". */
export function statusText({ state, intent }: ContainerRecord): string {
  const since = (time: string) => humanDuration(nowNanos() - parseRfc3339(time));
  if (intent === 'removing') return 'Removal In Progress';
  switch (state.status) {
    case 'running':
      return `Up ${since(state.startedAt)}${healthText(state.health)}`;
    case 'paused':
      return `Up ${since(state.startedAt)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'dead':
      return 'Dead';
    default:
      return state.finishedAt === ZERO_TIME
        ? 'Created'
        : `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`;
  }
}

function healthText(health: Health | undefined): string {
  if (!health) return '';
  return health.status === 'starting' ? ' (health: starting)' : ` (${health.status})`;
}

/** `State` of docker ps, and `State.Status` of inspect. */
export function stateName({ state, intent }: ContainerRecord): string {
  return intent === 'removing' ? 'removing' : state.status;
}

/** An endpoint in the shape of the API (EndpointSettings). */
function endpointSettings(
  record: ContainerRecord,
  attachment: Attachment,
  networks: Networks,
): Record<string, unknown> {
  const { endpoint, aliases, links, address, mac, driverOptions, priority, name } = attachment;
  const network = networks.bridgeOf(attachment);
  const isOwn = network !== undefined && !network.isDefault;
  const isKnown = endpoint !== null || record.networkSandbox !== '';
  return {
    IPAMConfig: address === '' ? null : { IPv4Address: address },
    Links: links.length > 0 ? links : null,
    Aliases: aliases.length > 0 ? aliases : null,
    MacAddress: endpoint?.mac ?? mac,
    DriverOpts: driverOptions,
    GwPriority: priority,
    NetworkID: isKnown ? attachment.networkId || (networks.find(name)?.id ?? '') : '',
    EndpointID: endpoint?.id ?? '',
    Gateway: endpoint?.gateway ?? '',
    IPAddress: endpoint?.address ?? '',
    IPPrefixLen: endpoint?.prefix ?? 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: isOwn ? dnsNames(record, attachment) : null,
  };
}

/** `NetworkSettings.Networks`: by name; none when it shares another container's. */
export function networksOf(record: ContainerRecord, networks: Networks): Record<string, unknown> {
  return Object.fromEntries(
    record.networks.map((attachment) => [attachment.name, endpointSettings(record, attachment, networks)]),
  );
}

/** `NetworkSettings` of inspect; what stands beside `Networks` is the default bridge's. */
export function networkSettings(record: ContainerRecord, networks: Networks): Record<string, unknown> {
  const { networkSandbox } = record;
  const endpoint = record.networks.find(({ name }) => name === 'bridge')?.endpoint;
  const isUp =
    networkSandbox !== '' && (record.state.status === 'running' || record.state.status === 'paused');
  return {
    Bridge: '',
    SandboxID: isUp ? networkSandbox : '',
    SandboxKey: isUp ? netnsPath(networkSandbox).replace(/^\/run/, '/var/run') : '',
    Ports: portMap(record),
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: endpoint?.id ?? '',
    Gateway: endpoint?.gateway ?? '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    IPAddress: endpoint?.address ?? '',
    IPPrefixLen: endpoint?.prefix ?? 0,
    IPv6Gateway: '',
    MacAddress: endpoint?.mac ?? '',
    Networks: networksOf(record, networks),
  };
}

/** Exposed ports while it is on a network: null, or where they are published. */
function portMap({
  networks,
  config,
}: ContainerRecord): Record<string, { HostIp: string; HostPort: string }[] | null> {
  const endpoints = networks.flatMap(({ endpoint }) => endpoint ?? []);
  if (endpoints.length === 0) return {};
  const map: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  for (const port of Object.keys(config.ExposedPorts ?? {}))
    map[port.includes('/') ? port : `${port}/tcp`] = null;
  for (const { proto, containerPort, hostIp, hostPort } of endpoints.flatMap(({ ports }) => ports)) {
    const key = `${containerPort}/${proto}`;
    map[key] = [...(map[key] ?? []), { HostIp: hostIp, HostPort: String(hostPort) }];
  }
  return map;
}

/** `Ports` of docker ps. */
export function portList(record: ContainerRecord): Record<string, unknown>[] {
  return Object.entries(portMap(record)).flatMap(([key, bindings]) => {
    const [port, Type] = key.split('/');
    const PrivatePort = Number(port);
    if (!bindings) return [{ PrivatePort, Type }];
    return bindings.map(({ HostIp, HostPort }) => ({
      IP: HostIp,
      PrivatePort,
      PublicPort: Number(HostPort),
      Type,
    }));
  });
}

/** The command line as docker ps shows it: words with spaces in quotes. */
export function commandText({ path, args }: ContainerRecord): string {
  return [path, ...args.map((word) => (word.includes(' ') ? `'${word}'` : word))].join(' ');
}

// A container's networks: which it asks for, and what it gets of them at its start.

import { InvalidParameter, NotFound } from '../errors.ts';
import { BridgeNetwork } from '../network/bridge.ts';
import { type HeldPort, heldPorts } from '../network/host-ports.ts';
import type { Networks } from '../network/networks.ts';
import { type PortRequest, parseBinding, parsePort } from '../network/ports.ts';
import { type Attachment, plainAttachment } from '../network/record.ts';
import { containsAddress, parseAddress, parseSubnet } from '../network/subnet.ts';
import type { InitApi } from '../sandbox/init-types.ts';
import type { EndpointRequest } from './config.ts';
import type { Container } from './container.ts';
import type { ContainerParts } from './parts.ts';
import type { ContainerRecord } from './record.ts';

/** The attachments of a new container: the one of its network mode first, then the others that it asks for. */
export function requestedAttachments(
  networks: Networks,
  networkMode: string,
  endpoints: Record<string, EndpointRequest | null | undefined>,
  mac: string,
): Attachment[] {
  if (networkMode.startsWith('container:')) {
    if (Object.keys(endpoints).some((name) => name !== networkMode)) {
      throw new InvalidParameter("conflicting options: cannot attach both a container's network and others");
    }
    return [];
  }
  // The mode's own endpoint may be called by the network's id, or `default`.
  const isMode = (name: string) =>
    name === networkMode ||
    (name === 'default' && networkMode === 'bridge') ||
    sameNetwork(networks, name, networkMode);
  const wanted = Object.entries(endpoints);
  const own = wanted.find(([name]) => isMode(name))?.[1];
  const others = wanted.filter(([name]) => !isMode(name));
  const first = attachmentOf(networks, networkMode, own ?? undefined);
  if (first.mac === '') first.mac = mac;
  return [
    first,
    ...others.map(([name, endpoint]) => {
      networks.get(name);
      return attachmentOf(networks, name, endpoint ?? undefined);
    }),
  ];
}

function sameNetwork(networks: Networks, one: string, other: string): boolean {
  const id = networks.find(one)?.id;
  return id !== undefined && id === networks.find(other)?.id;
}

/** What an endpoint asks of a network, checked in Docker's words. */
export function attachmentOf(
  networks: Networks,
  reference: string,
  request: EndpointRequest | undefined,
): Attachment {
  const network = networks.find(reference);
  const attachment = plainAttachment(network?.name ?? reference, network?.id);
  if (!request) return attachment;
  const address = request.IPAMConfig?.IPv4Address ?? '';
  const aliases = [...new Set(request.Aliases ?? [])];
  const problems: string[] = [];
  const isOwn = network instanceof BridgeNetwork && !network.isDefault;
  if (network && !isOwn && aliases.length > 0) {
    problems.push('network-scoped alias is supported only for containers in user defined networks');
  }
  if (request.IPAMConfig?.IPv6Address)
    problems.push('user specified IPv6 address is not supported by Berth yet');
  if (address !== '') {
    if (network && !isOwn)
      problems.push('user specified IP address is supported on user defined networks only');
    problems.push(...addressProblems(network, address));
  }
  if (problems.length > 0) {
    const text = problems.length === 1 ? problems[0] : problems.map((problem) => `* ${problem}`).join('\n');
    throw new InvalidParameter(
      `invalid config for network ${attachment.name}: invalid endpoint settings:\n${text}`,
    );
  }
  return {
    ...attachment,
    aliases,
    links: request.Links ?? [],
    address,
    mac: request.MacAddress ? validMac(request.MacAddress) : '',
    driverOptions: request.DriverOpts ?? null,
    priority: request.GwPriority ?? 0,
  };
}

function addressProblems(network: unknown, address: string): string[] {
  const number = parseAddress(address);
  const invalid = number === undefined ? [`invalid IPv4 address: ${address}`] : [];
  if (!(network instanceof BridgeNetwork)) return invalid;
  if (!network.record.hasOwnSubnet) {
    return [
      ...invalid,
      'user specified IP address is supported only when connecting to networks with user configured subnets',
    ];
  }
  const subnet = parseSubnet(network.record.subnet);
  const isInside = number !== undefined && subnet !== undefined && containsAddress(subnet, number);
  return isInside
    ? invalid
    : [...invalid, `no configured subnet or ip-range contain the IP address ${address}`];
}

/** Checks a MAC address from a user. */
export function validMac(mac: string): string {
  if (!/^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/.test(mac)) {
    throw new InvalidParameter(`${mac} is not a valid mac address`);
  }
  return mac.toLowerCase();
}

/** Takes addresses and ports for a start; nothing is kept when it fails. */
export function connectAll(
  networks: Networks,
  record: ContainerRecord,
  held: readonly HeldPort[],
): Attachment[] {
  const connected: Attachment[] = [];
  try {
    for (const attachment of record.networks) connected.push(connectOne(networks, attachment, connected));
    const target = networks.gatewayOf(connected);
    if (target) {
      networks.publish(target.endpoint, record.name, portRequests(record, target.network.hostBinding), held);
    }
    return connected;
  } catch (error) {
    networks.release(connected);
    throw error;
  }
}

/** Takes an address on one network, as the first free device. */
export function connectOne(
  networks: Networks,
  attachment: Attachment,
  others: readonly Attachment[],
): Attachment {
  if (['host', 'none'].includes(attachment.name)) {
    return { ...attachment, networkId: networks.get(attachment.name).id };
  }
  const network = networks.bridgeOf(attachment);
  if (!network) {
    throw new NotFound(`network ${attachment.networkId || attachment.name} not found`);
  }
  const taken = others.map(({ endpoint }) => endpoint?.device);
  let number = 0;
  while (taken.includes(`eth${number}`)) number++;
  const endpoint = network.allocate({
    device: `eth${number}`,
    ...(attachment.address === '' ? {} : { address: attachment.address }),
    ...(attachment.mac === '' ? {} : { mac: attachment.mac }),
  });
  return { ...attachment, networkId: network.id, name: network.name, endpoint };
}

/** What is left of the attachments when the container does not run. */
export function disconnected(attachments: readonly Attachment[]): Attachment[] {
  return attachments.map((attachment) => ({ ...attachment, endpoint: null }));
}

/** On a user-defined network, hence with names. */
export function hasNames(networks: Networks, record: ContainerRecord): boolean {
  return record.networks.some((attachment) => {
    const network = networks.bridgeOf(attachment);
    return network !== undefined && !network.isDefault;
  });
}

/** The names of a container on one of its networks, in the order in which inspect shows them. */
export function dnsNames(record: ContainerRecord, attachment: Attachment): string[] {
  const { Hostname, Domainname } = record.config;
  const host = Domainname === '' ? Hostname : `${Hostname}.${Domainname}`;
  return [...new Set([record.name, ...attachment.aliases, record.id.slice(0, 12), Hostname, host])].filter(
    (name) => name !== '',
  );
}

/** `network connect` and `network disconnect` of every endpoint. */
export function publishNetworks(
  parts: ContainerParts,
  container: Container,
  action: 'connect' | 'disconnect',
  attachments: readonly Attachment[],
): void {
  for (const attachment of attachments) {
    if (!attachment.endpoint) continue;
    parts.events.publish('network', action, attachment.networkId, {
      container: container.id,
      name: attachment.name,
      type: 'bridge',
    });
  }
}

/** Ports that programs of the lab host hold; asked only for a container that publishes some. */
export async function heldFor(init: InitApi, { hostConfig }: ContainerRecord): Promise<HeldPort[]> {
  const { PortBindings, PublishAllPorts } = hostConfig;
  return PublishAllPorts || Object.keys(PortBindings).length > 0 ? heldPorts(init) : [];
}

/** -p, and with -P every exposed port that -p does not name. */
export function portRequests(record: ContainerRecord, hostBinding: string): PortRequest[] {
  const { PortBindings, PublishAllPorts } = record.hostConfig;
  const bind = (port: string, binding: { HostIp: string; HostPort: string }) =>
    parseBinding(port, { ...binding, HostIp: binding.HostIp || hostBinding });
  const requests = Object.entries(PortBindings).flatMap(([port, bindings]) =>
    (bindings.length > 0 ? bindings : [{ HostIp: '', HostPort: '' }]).map((each) => bind(port, each)),
  );
  if (!PublishAllPorts) return requests;
  const isAsked = (proto: string, port: number) =>
    requests.some((request) => request.proto === proto && request.containerPort === port);
  const exposed = Object.keys(record.config.ExposedPorts ?? {}).filter((text) => {
    const { proto, port } = parsePort(text);
    return !isAsked(proto, port);
  });
  return [...requests, ...exposed.map((port) => bind(port, { HostIp: '', HostPort: '' }))];
}

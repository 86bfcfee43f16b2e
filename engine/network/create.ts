// docker network create: what is asked for is checked in Docker's words, given a subnet, recorded and made.

import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { Conflict, Forbidden, InvalidParameter, NotFound, NotImplemented, Unavailable } from '../errors.ts';
import type { EventBus } from '../events/bus.ts';
import { formatNanos, nowNanos } from '../events/clock.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { BridgeNetwork } from './bridge.ts';
import type { Networks } from './networks.ts';
import type { NetworkRecord } from './record.ts';
import {
  containsAddress,
  formatAddress,
  formatSubnet,
  freeSubnet,
  overlaps,
  parseAddress,
  parseSubnet,
  type Subnet,
} from './subnet.ts';

const Text = z.string().max(1024);
const TextMap = z
  .record(Text, Text)
  .nullish()
  .transform((map) => map ?? {});

/** POST /networks/create */
export const CreateNetworkRequest = z.looseObject({
  Name: z.string().max(255),
  Driver: z.string().default(''),
  Scope: z.string().default(''),
  Internal: z.boolean().default(false),
  Attachable: z.boolean().default(false),
  Ingress: z.boolean().default(false),
  ConfigOnly: z.boolean().default(false),
  ConfigFrom: z.looseObject({ Network: z.string().default('') }).nullish(),
  EnableIPv4: z.boolean().nullish(),
  EnableIPv6: z.boolean().nullish(),
  IPAM: z
    .looseObject({
      Driver: z.string().default(''),
      Options: TextMap,
      Config: z
        .array(
          z.looseObject({
            Subnet: Text.nullish(),
            IPRange: Text.nullish(),
            Gateway: Text.nullish(),
            AuxiliaryAddresses: z.record(Text, Text).nullish(),
          }),
        )
        .max(16)
        .nullish(),
    })
    .nullish(),
  Options: TextMap,
  Labels: TextMap,
});
export type CreateNetworkRequest = z.infer<typeof CreateNetworkRequest>;

export interface NetworkParts {
  readonly networks: Networks;
  readonly sandbox: Sandbox;
  readonly events: EventBus;
}

/** Makes a network and tells of it. */
export function createNetwork(
  { networks, sandbox, events }: NetworkParts,
  request: CreateNetworkRequest,
): Promise<BridgeNetwork> {
  return networks.changes.run(async () => {
    checkName(networks, request.Name);
    refuseUnsupported(request);
    const record = newRecord(networks, request);
    const network = await networks.add(record, sandbox.init);
    events.publish('network', 'create', record.id, { name: record.name, type: 'bridge' });
    return network;
  });
}

function checkName(networks: Networks, name: string): void {
  if (name.trim() === '') throw new InvalidParameter('invalid name: name is empty');
  if (!/^[\w][\w .-]*$/.test(name)) throw new InvalidParameter(`invalid network name: ${name}`);
  if (['bridge', 'host', 'none', 'default'].includes(name)) {
    throw new Forbidden(`operation is not permitted on predefined ${name} network`);
  }
  if (networks.list().some((network) => network.name === name)) {
    throw new Conflict(`network with name ${name} already exists`);
  }
}

function refuseUnsupported(request: CreateNetworkRequest): void {
  const { Driver, IPAM } = request;
  if (Driver === 'overlay' || request.Ingress || request.Scope === 'swarm') {
    throw new Unavailable(
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
  }
  if (Driver === 'host' || Driver === 'null') {
    throw new Forbidden(`only one instance of "${Driver}" network is allowed`);
  }
  const notYet = (what: string) => {
    throw new NotImplemented(`${what} is not supported by Berth yet`);
  };
  if (Driver === 'macvlan' || Driver === 'ipvlan') notYet(`the network driver ${Driver}`);
  if (Driver !== '' && Driver !== 'bridge' && Driver !== 'default') {
    throw new NotFound(`plugin "${Driver}" not found`);
  }
  if (IPAM && IPAM.Driver !== '' && IPAM.Driver !== 'default') {
    throw new NotFound(`plugin "${IPAM.Driver}" not found`);
  }
  if (request.EnableIPv6) notYet('--ipv6');
  if (request.EnableIPv4 === false) notYet('--ipv4=false');
  if (request.ConfigOnly || request.ConfigFrom?.Network) notYet('--config-only and --config-from');
  const configs = IPAM?.Config ?? [];
  if (configs.length > 1) notYet('more than one subnet of a network');
  if (configs.some(({ Subnet }) => Subnet?.includes(':'))) notYet('an IPv6 subnet');
}

function newRecord(networks: Networks, request: CreateNetworkRequest): NetworkRecord {
  const id = randomBytes(32).toString('hex');
  const config = request.IPAM?.Config?.[0];
  const wanted = config?.Subnet ? askedSubnet(config) : undefined;
  if (!wanted && (config?.Gateway || config?.IPRange)) {
    throw new InvalidParameter('invalid network config:\nuser specified subnet is required');
  }
  const inUse = networks.bridges().flatMap(({ record }) => parseSubnet(record.subnet) ?? []);
  if (wanted && inUse.some((each) => overlaps(each, wanted.subnet))) {
    throw new Forbidden('invalid pool request: Pool overlaps with other one on this address space');
  }
  const subnet = wanted?.subnet ?? freeSubnet(inUse);
  const range = wanted?.range ?? subnet;
  const reserved = Object.values(config?.AuxiliaryAddresses ?? {});
  const gateway =
    config?.Gateway || firstFree(range.base === subnet.base ? subnet.base + 1 : range.base, reserved);
  const ipam = wanted
    ? {
        Subnet: formatSubnet(subnet),
        ...(config?.IPRange ? { IPRange: formatSubnet(range) } : {}),
        ...(config?.Gateway ? { Gateway: config.Gateway } : {}),
        ...(config?.AuxiliaryAddresses && reserved.length > 0
          ? { AuxiliaryAddresses: config.AuxiliaryAddresses }
          : {}),
      }
    : { Subnet: formatSubnet(subnet), Gateway: gateway };
  return {
    id,
    name: request.Name,
    created: formatNanos(nowNanos()),
    internal: request.Internal,
    attachable: request.Attachable,
    labels: request.Labels,
    options: checkOptions(request.Options),
    ipamOptions: request.IPAM?.Options ?? {},
    ipam,
    hasOwnSubnet: wanted !== undefined,
    subnet: formatSubnet(subnet),
    gateway,
    range: formatSubnet(range),
    bridge: bridgeName(networks, id, request.Options),
  };
}

type AskedIpam = NonNullable<NonNullable<CreateNetworkRequest['IPAM']>['Config']>[number];

/** Every problem at once, as Docker tells them. */
function askedSubnet(config: AskedIpam): { subnet: Subnet; range: Subnet } {
  const text = config.Subnet ?? '';
  const subnet = parseSubnet(text);
  if (!subnet)
    throw new InvalidParameter(
      `invalid network config:\ninvalid subnet ${text}: invalid CIDR block notation`,
    );
  const problems: string[] = [];
  if (formatSubnet(subnet) !== text) {
    problems.push(`invalid subnet ${text}: it should be ${formatSubnet(subnet)}`);
  }
  const isInside = (address: string) => {
    const number = parseAddress(address);
    return number !== undefined && containsAddress(subnet, number);
  };
  if (config.Gateway && !isInside(config.Gateway)) {
    problems.push(`invalid gateway ${config.Gateway}: parent subnet ${text} doesn't contain this address`);
  }
  const range = config.IPRange ? parseSubnet(config.IPRange) : subnet;
  if (!range || range.prefix < subnet.prefix || !containsAddress(subnet, range.base)) {
    problems.push(`invalid ip-range ${config.IPRange}: parent subnet ${text} doesn't contain this range`);
  }
  for (const address of Object.values(config.AuxiliaryAddresses ?? {})) {
    if (!isInside(address)) {
      problems.push(
        `invalid auxiliary address ${address}: parent subnet ${text} doesn't contain this address`,
      );
    }
  }
  if (subnet.prefix > 30)
    problems.push(`invalid subnet ${text}: it is too small for a bridge and a container`);
  if (problems.length > 0 || !range)
    throw new InvalidParameter(`invalid network config:\n${problems.join('\n')}`);
  return { subnet, range };
}

function firstFree(from: number, reserved: readonly string[]): string {
  let number = from;
  while (reserved.includes(formatAddress(number))) number++;
  return formatAddress(number);
}

/** Options that mean nothing here are kept and shown, as Docker does with labels of a driver it does not know. */
function checkOptions(options: Record<string, string>): Record<string, string> {
  const mtu = options['com.docker.network.driver.mtu'];
  if (mtu !== undefined && !(Number(mtu) >= 68 && Number(mtu) <= 65535)) {
    throw new InvalidParameter(
      `failed to parse com.docker.network.driver.mtu value: ${mtu} (must be 68 to 65535)`,
    );
  }
  const binding = options['com.docker.network.bridge.host_binding_ipv4'];
  if (binding && parseAddress(binding) === undefined) {
    throw new InvalidParameter(
      `failed to parse com.docker.network.bridge.host_binding_ipv4 value: ${binding}`,
    );
  }
  for (const name of ['enable_icc', 'enable_ip_masquerade']) {
    const value = options[`com.docker.network.bridge.${name}`];
    if (value !== undefined && !/^(1|0|t|f|true|false)$/i.test(value)) {
      throw new InvalidParameter(`failed to parse com.docker.network.bridge.${name} value: ${value}`);
    }
  }
  for (const family of ['ipv4', 'ipv6']) {
    const mode = options[`com.docker.network.bridge.gateway_mode_${family}`];
    if (mode !== undefined && mode !== 'nat') {
      throw new NotImplemented(`the gateway mode ${mode} is not supported by Berth yet; use nat`);
    }
  }
  return options;
}

/** Interface names are at most 15 bytes (IFNAMSIZ). */
function bridgeName(networks: Networks, id: string, options: Record<string, string>): string {
  const wanted = options['com.docker.network.bridge.name'];
  if (!wanted) return `br-${id.slice(0, 12)}`;
  if (!/^[a-zA-Z0-9][\w.-]{0,14}$/.test(wanted) || wanted === 'lo') {
    throw new InvalidParameter(`invalid name for a bridge: ${wanted} (at most 15 of a-z A-Z 0-9 _ . -)`);
  }
  const other = networks.bridges().find(({ record }) => record.bridge === wanted);
  if (other) {
    throw new Forbidden(
      `cannot create network ${id} (${wanted}): conflicts with network ${other.id} (${wanted}): networks have same bridge name`,
    );
  }
  return wanted;
}

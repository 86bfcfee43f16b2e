// How networks read in list and inspect, and which of them a filter means.

import { InvalidParameter } from '../errors.ts';
import type { Filters } from '../events/filters.ts';
import { BridgeNetwork } from './bridge.ts';
import type { Network } from './networks.ts';

export const NETWORK_FILTERS = ['dangling', 'driver', 'id', 'label', 'label!', 'name', 'scope', 'type'];

/** A container on a network, as inspect names it. */
export interface NetworkMember {
  containerId: string;
  name: string;
  networkId: string;
  endpointId: string;
  mac: string;
  /** `172.18.0.2/16`; '' on the networks host and none */
  address: string;
}

/** A network in the shape of the Docker Engine API; `created` is the daemon's, for those that it made itself. */
export function describeNetwork(
  network: Network,
  members: readonly NetworkMember[],
  created: string,
): Record<string, unknown> {
  const record = network instanceof BridgeNetwork ? network.record : undefined;
  const isOwn = network instanceof BridgeNetwork && !network.isDefault;
  return {
    Name: network.name,
    Id: network.id,
    Created: record?.created ?? created,
    Scope: 'local',
    Driver: network.driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: {
      Driver: 'default',
      Options: isOwn ? record?.ipamOptions : null,
      Config: record ? [record.ipam] : null,
    },
    Internal: record?.internal ?? false,
    Attachable: record?.attachable ?? false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries(
      members.filter(({ networkId }) => networkId === network.id).map(describeMember),
    ),
    Options: record?.options ?? {},
    Labels: record?.labels ?? {},
  };
}

function describeMember({ containerId, name, endpointId, mac, address }: NetworkMember) {
  const member = {
    Name: name,
    EndpointID: endpointId,
    MacAddress: mac,
    IPv4Address: address,
    IPv6Address: '',
  };
  return [containerId, member] as const;
}

/** Those that pass the filters of GET /networks. `isUsed`: some container is on it, running or not. */
export function filterNetworks(
  networks: readonly Network[],
  filters: Filters,
  isUsed: (network: Network) => boolean,
): Network[] {
  for (const type of filters.get('type')) {
    if (type !== 'custom' && type !== 'builtin')
      throw new InvalidParameter(`invalid filter: 'type'='${type}'`);
  }
  const dangling = filters.has('dangling') ? filters.boolean('dangling') : undefined;
  return networks.filter((network) => {
    const isCustom = network instanceof BridgeNetwork && !network.isDefault;
    const labels = isCustom ? network.record.labels : {};
    return (
      (dangling === undefined || dangling === (isCustom && !isUsed(network))) &&
      filters.any('driver', (driver) => network.driver === driver) &&
      filters.any('id', (id) => network.id.startsWith(id)) &&
      filters.any('name', (name) => network.name.includes(name)) &&
      filters.any('scope', (scope) => scope === 'local') &&
      filters.any('type', (type) => (type === 'custom') === isCustom) &&
      filters.labels((label) => labels[label])
    );
  });
}

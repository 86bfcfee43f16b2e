// docker network ls and inspect: the three networks that every Docker host has.

import { NotFound, NotImplemented } from '../errors.ts';
import type { Filters } from '../events/filters.ts';
import { DEFAULT_SUBNET } from './addresses.ts';
import { BRIDGE, type BridgeNetwork, defaultNetworkId } from './bridge.ts';

export const NETWORK_FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];

/** A container on the bridge, as inspect names it. */
export interface NetworkMember {
  containerId: string;
  name: string;
  endpointId: string;
  mac: string;
  address: string;
}

/** A network in the shape of the Docker Engine API. */
export interface NetworkInfo {
  Name: string;
  Id: string;
  Created: string;
  Scope: 'local';
  Driver: string;
  Containers: Record<string, unknown>;
  [field: string]: unknown;
}

/** All networks of a sandbox; `created` is when the sandbox's daemon came to be. */
export function describeNetworks(
  sandboxId: string,
  created: string,
  bridge: BridgeNetwork,
  members: readonly NetworkMember[],
): NetworkInfo[] {
  const network = (Name: string, Driver: string): NetworkInfo => ({
    Name,
    Id: defaultNetworkId(sandboxId, Name),
    Created: created,
    Scope: 'local',
    Driver,
    EnableIPv6: false,
    IPAM: { Driver: 'default', Options: null, Config: null },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: {},
    Options: {},
    Labels: {},
  });
  return [
    {
      ...network('bridge', 'bridge'),
      Id: bridge.id,
      IPAM: {
        Driver: 'default',
        Options: null,
        Config: [
          { Subnet: `${DEFAULT_SUBNET.base}/${DEFAULT_SUBNET.prefix}`, Gateway: DEFAULT_SUBNET.gateway },
        ],
      },
      Containers: Object.fromEntries(members.map((member) => [member.containerId, describeMember(member)])),
      Options: {
        'com.docker.network.bridge.default_bridge': 'true',
        'com.docker.network.bridge.enable_icc': 'true',
        'com.docker.network.bridge.enable_ip_masquerade': 'true',
        'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
        'com.docker.network.bridge.name': BRIDGE,
        'com.docker.network.driver.mtu': '1500',
      },
    },
    network('host', 'host'),
    network('none', 'null'),
  ];
}

function describeMember({ name, endpointId, mac, address }: NetworkMember): Record<string, string> {
  return {
    Name: name,
    EndpointID: endpointId,
    MacAddress: mac,
    IPv4Address: `${address}/${DEFAULT_SUBNET.prefix}`,
    IPv6Address: '',
  };
}

/** By name, id or start of the id. Throws NotFound in Docker's words. */
export function findNetwork(networks: readonly NetworkInfo[], reference: string): NetworkInfo {
  const found =
    networks.find((network) => network.Name === reference || network.Id === reference) ??
    networks.find((network) => reference.length > 0 && network.Id.startsWith(reference));
  if (!found) throw new NotFound(`network ${reference} not found`);
  return found;
}

/** Those that pass the filters of GET /networks. */
export function filterNetworks(networks: readonly NetworkInfo[], filters: Filters): NetworkInfo[] {
  if (filters.has('dangling')) {
    // The default networks are never dangling.
    return filters.boolean('dangling') ? [] : [...networks];
  }
  return networks.filter(
    (network) =>
      filters.any('driver', (driver) => network.Driver === driver) &&
      filters.any('id', (id) => network.Id.startsWith(id)) &&
      filters.any('name', (name) => network.Name.includes(name)) &&
      filters.any('scope', (scope) => network.Scope === scope) &&
      filters.any('type', (type) => type === 'builtin') &&
      filters.labels(() => undefined),
  );
}

/** What every change of networks answers for now. */
export function networksNotYet(): NotImplemented {
  return new NotImplemented(
    'user-defined networks are not supported by Berth yet; containers share the bridge network',
  );
}

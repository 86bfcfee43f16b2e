// /networks: the default ones; user-defined networks are to come.

import { InvalidParameter } from '../../errors.ts';
import { Filters } from '../../events/filters.ts';
import type { ExecParts } from '../../exec/parts.ts';
import {
  describeNetworks,
  filterNetworks,
  findNetwork,
  NETWORK_FILTERS,
  type NetworkInfo,
  networksNotYet,
} from '../../network/default-networks.ts';
import { type Route, route } from '../router.ts';

export function networkRoutes(parts: ExecParts, created: string): Route[] {
  const networks = (): NetworkInfo[] => {
    const members = parts.containers
      .list()
      .flatMap(({ record: { id, name, endpoint } }) =>
        endpoint
          ? [{ containerId: id, name, endpointId: endpoint.id, mac: endpoint.mac, address: endpoint.address }]
          : [],
      );
    return describeNetworks(parts.sandbox.id, created, parts.bridge, members);
  };
  return [
    route('GET', '/networks', (call) => {
      const found = filterNetworks(networks(), Filters.parse(call.query.get('filters'), NETWORK_FILTERS));
      call.send(
        200,
        found.map((network) => ({ ...network, Containers: {} })),
      );
    }),
    route('POST', '/networks/create', () => {
      throw networksNotYet();
    }),
    route('POST', '/networks/prune', (call) => call.send(200, { NetworksDeleted: null })),
    route('GET', '/networks/{id}', (call) => call.send(200, findNetwork(networks(), call.param('id')))),
    route('DELETE', '/networks/{id}', (call) => {
      const { Name } = findNetwork(networks(), call.param('id'));
      throw new InvalidParameter(`${Name} is a pre-defined network and cannot be removed`);
    }),
    route('POST', '/networks/{id}/connect', (call) => {
      findNetwork(networks(), call.param('id'));
      throw networksNotYet();
    }),
    route('POST', '/networks/{id}/disconnect', (call) => {
      findNetwork(networks(), call.param('id'));
      throw networksNotYet();
    }),
  ];
}

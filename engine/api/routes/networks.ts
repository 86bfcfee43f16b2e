// /networks: all of them, and which containers are on them.

import { z } from 'zod';
import { EndpointRequest } from '../../container/config.ts';
import {
  connectContainer,
  disconnectContainer,
  isUsed,
  networkMembers,
  PRUNE_NETWORK_FILTERS,
  pruneNetworks,
  removeNetwork,
} from '../../container/networks.ts';
import { Filters } from '../../events/filters.ts';
import type { ExecParts } from '../../exec/parts.ts';
import { CreateNetworkRequest, createNetwork } from '../../network/create.ts';
import { describeNetwork, filterNetworks, NETWORK_FILTERS } from '../../network/describe.ts';
import { type Route, route } from '../router.ts';

const ConnectRequest = z.looseObject({
  Container: z.string().default(''),
  EndpointConfig: EndpointRequest.nullish(),
});
const DisconnectRequest = z.looseObject({
  Container: z.string().default(''),
  Force: z.boolean().default(false),
});

export function networkRoutes(parts: ExecParts): Route[] {
  const { networks } = parts;
  const created = networks.bridge.record.created;
  return [
    route('GET', '/networks', (call) => {
      const filters = Filters.parse(call.query.get('filters'), NETWORK_FILTERS);
      const found = filterNetworks(networks.list(), filters, (network) => isUsed(parts, network));
      call.send(
        200,
        found.map((network) => describeNetwork(network, [], created)),
      );
    }),
    route('POST', '/networks/create', async (call) => {
      const network = await createNetwork(parts, await call.json(CreateNetworkRequest));
      call.send(201, { Id: network.id, Warning: '' });
    }),
    route('POST', '/networks/prune', async (call) => {
      const filters = Filters.parse(call.query.get('filters'), PRUNE_NETWORK_FILTERS);
      const removed = await pruneNetworks(parts, filters);
      call.send(200, { NetworksDeleted: removed.length > 0 ? removed : null });
    }),
    route('GET', '/networks/{id}', (call) => {
      const network = networks.get(call.param('id'));
      call.send(200, describeNetwork(network, networkMembers(parts), created));
    }),
    route('DELETE', '/networks/{id}', async (call) => {
      await removeNetwork(parts, call.param('id'));
      call.empty(204);
    }),
    route('POST', '/networks/{id}/connect', async (call) => {
      const { Container, EndpointConfig } = await call.json(ConnectRequest);
      networks.get(call.param('id'));
      const container = parts.containers.get(Container);
      await connectContainer(parts, call.param('id'), container, EndpointConfig ?? undefined);
      call.send(200, null);
    }),
    route('POST', '/networks/{id}/disconnect', async (call) => {
      const { Container } = await call.json(DisconnectRequest);
      networks.get(call.param('id'));
      await disconnectContainer(parts, call.param('id'), parts.containers.get(Container));
      call.send(200, null);
    }),
  ];
}

// docker network connect, disconnect, rm and prune: what networks and containers have to do with each other.

import { Forbidden, InvalidParameter } from '../errors.ts';
import { parseRfc3339 } from '../events/clock.ts';
import type { Filters } from '../events/filters.ts';
import { parseUntil } from '../events/until.ts';
import { BridgeNetwork, netnsPath } from '../network/bridge.ts';
import type { NetworkMember } from '../network/describe.ts';
import type { HeldPort } from '../network/host-ports.ts';
import type { Network } from '../network/networks.ts';
import type { Attachment } from '../network/record.ts';
import type { Step } from '../sandbox/init-types.ts';
import { attachmentOf, connectOne, hasNames, heldFor, portRequests, publishNetworks } from './attachments.ts';
import type { EndpointRequest } from './config.ts';
import type { Container } from './container.ts';
import { containerDir, hostsFile, resolvConf } from './files.ts';
import { knownLinks, linkHosts } from './links.ts';
import type { ContainerParts } from './parts.ts';
import { type ContainerRecord, isRunning } from './record.ts';

/** Every container on a network while it runs. */
export function networkMembers(parts: ContainerParts): NetworkMember[] {
  return parts.containers.list().flatMap(({ record }) =>
    record.networks.flatMap(({ networkId, endpoint }) =>
      endpoint
        ? [
            {
              containerId: record.id,
              name: record.name,
              networkId,
              endpointId: endpoint.id,
              mac: endpoint.mac,
              address: `${endpoint.address}/${endpoint.prefix}`,
            },
          ]
        : [],
    ),
  );
}

/** Some container is on it, or will be when it starts. */
export function isUsed(parts: ContainerParts, { id, name }: Network): boolean {
  return parts.containers
    .list()
    .some(({ record }) =>
      record.networks.some((attachment) => attachment.networkId === id || attachment.name === name),
    );
}

/** docker network connect: at once when the container runs, at its next start otherwise. */
export function connectContainer(
  parts: ContainerParts,
  reference: string,
  container: Container,
  request: EndpointRequest | undefined,
): Promise<void> {
  return container.lock.run(async () => {
    const network = parts.networks.get(reference);
    checkConnection(network, container.record);
    const wanted = attachmentOf(parts.networks, reference, request);
    if (!isRunning(container.record)) {
      await parts.containers.update(container, { networks: [...container.record.networks, wanted] });
      return;
    }
    const attachment = connectOne(parts.networks, wanted, container.record.networks);
    const before = container.record.networks;
    const networks = [...before, attachment];
    try {
      publishUnpublished(
        parts,
        container.record,
        networks,
        await heldFor(parts.sandbox.init, container.record),
      );
      // Recorded first: after a crash the endpoint is known and can be given back.
      await parts.containers.update(container, { networks });
      await parts.networks.exclusively(networks, () =>
        parts.sandbox.init.start(parts.networks.joinSteps(attachment, networks, netnsOf(container))),
      );
      await renewFiles(parts, container);
    } catch (error) {
      parts.networks.release([attachment]);
      await parts.containers.update(container, { networks: before });
      throw error;
    }
    publishNetworks(parts, container, 'connect', [attachment]);
  });
}

function checkConnection(network: Network, record: ContainerRecord): void {
  const mode = record.hostConfig.NetworkMode;
  if (network.driver === 'host' || mode === 'host') {
    throw new InvalidParameter(
      'container cannot be disconnected from host network or connected to host network',
    );
  }
  if (mode.startsWith('container:')) {
    throw new InvalidParameter(
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  }
  if (network.driver === 'null' || record.networks.some(({ name }) => name === 'none')) {
    throw new InvalidParameter(
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  }
  const isOn = record.networks.some(
    ({ networkId, name }) => networkId === network.id || name === network.name,
  );
  if (isOn)
    throw new Forbidden(`endpoint with name ${record.name} already exists in network ${network.name}`);
}

/** A container that was on no network with a way out publishes its ports on the first one that has. */
function publishUnpublished(
  parts: ContainerParts,
  record: ContainerRecord,
  attachments: readonly Attachment[],
  held: readonly HeldPort[],
): void {
  if (attachments.some(({ endpoint }) => endpoint && endpoint.ports.length > 0)) return;
  const target = parts.networks.gatewayOf(attachments);
  if (!target) return;
  parts.networks.publish(
    target.endpoint,
    record.name,
    portRequests(record, target.network.hostBinding),
    held,
  );
}

/** docker network disconnect: `force` also where the container is gone. */
export async function disconnectContainer(
  parts: ContainerParts,
  reference: string,
  container: Container,
): Promise<void> {
  await container.lock.run(async () => {
    const network = parts.networks.get(reference);
    const { record } = container;
    if (network.driver === 'host' || record.hostConfig.NetworkMode === 'host') {
      throw new InvalidParameter(
        'container cannot be disconnected from host network or connected to host network',
      );
    }
    const attachment = record.networks.find(
      ({ networkId, name }) => networkId === network.id || name === network.name,
    );
    if (!attachment) {
      throw new Forbidden(`container ${record.id} is not connected to network ${network.name}`);
    }
    const networks = record.networks.filter((each) => each !== attachment);
    if (!attachment.endpoint) {
      await parts.containers.update(container, { networks });
      return;
    }
    parts.networks.release([attachment]);
    publishUnpublished(parts, record, networks, await heldFor(parts.sandbox.init, record));
    await parts.containers.update(container, { networks });
    await parts.networks.exclusively([attachment, ...networks], () =>
      parts.sandbox.init.start(parts.networks.leaveSteps(attachment, networks, netnsOf(container))),
    );
    await renewFiles(parts, container);
    publishNetworks(parts, container, 'disconnect', [attachment]);
  });
}

function netnsOf({ record }: Container): string {
  return netnsPath(record.networkSandbox);
}

/** /etc/hosts and /etc/resolv.conf say what is; both are mounted as files, so they are written in place. */
async function renewFiles(parts: ContainerParts, container: Container): Promise<void> {
  const { record } = container;
  const own = containerDir(record.id);
  const inPlace = (name: string, data: string): Step => ({
    kind: 'write',
    path: `${own}/${name}`,
    data,
    plain: true,
  });
  await parts.sandbox.init.start([
    inPlace(
      'hosts',
      hostsFile(record, parts.networks.bridge.record.gateway, linkHosts(knownLinks(parts, record))),
    ),
    inPlace('resolv.conf', await resolvConf(parts.sandbox.init, record, hasNames(parts.networks, record))),
  ]);
  await parts.names.listen(record);
}

/** docker network rm. Throws Forbidden while containers that run are on it. */
export function removeNetwork(parts: ContainerParts, reference: string): Promise<void> {
  return parts.networks.changes.run(async () => {
    const network = parts.networks.get(reference);
    if (!(network instanceof BridgeNetwork) || network.isDefault) {
      throw new Forbidden(`${network.name} is a pre-defined network and cannot be removed`);
    }
    if (network.endpoints.length > 0) {
      throw new Forbidden(
        `error while removing network: network ${network.name} id ${network.id} has active endpoints`,
      );
    }
    await parts.networks.remove(network, parts.sandbox.init);
    parts.events.publish('network', 'destroy', network.id, { name: network.name, type: 'bridge' });
  });
}

export const PRUNE_NETWORK_FILTERS = ['label', 'label!', 'until'];

/** docker network prune: the user's networks that no container is on; gives their names. */
export function pruneNetworks(parts: ContainerParts, filters: Filters): Promise<string[]> {
  const until = parseUntil(filters);
  return parts.networks.changes.run(async () => {
    const removed: string[] = [];
    for (const network of parts.networks.bridges()) {
      const { labels, created } = network.record;
      const isMeant =
        !network.isDefault &&
        !isUsed(parts, network) &&
        (until === undefined || parseRfc3339(created) < until) &&
        filters.labels((label) => labels[label]);
      if (!isMeant) continue;
      await parts.networks.remove(network, parts.sandbox.init);
      parts.events.publish('network', 'destroy', network.id, { name: network.name, type: 'bridge' });
      removed.push(network.name);
    }
    parts.events.publish('network', 'prune', '', { reclaimed: '0' });
    return removed;
  });
}

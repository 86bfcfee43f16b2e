// The default bridge network of a sandbox: docker0, the containers on it, and the steps that connect them.

import { createHash, randomBytes } from 'node:crypto';
import { EngineError, SystemError } from '../errors.ts';
import type { InitApi, Step } from '../sandbox/init-types.ts';
import { Mutex } from '../sandbox/mutex.ts';
import { IN_SANDBOX } from '../sandbox/sandbox.ts';
import { AddressPool, DEFAULT_SUBNET, macOf } from './addresses.ts';
import { type PortRequest, PortTable, type PublishedPort } from './ports.ts';
import { renderRuleset } from './ruleset.ts';

export const BRIDGE = 'docker0';
const SUBNET = `${DEFAULT_SUBNET.base}/${DEFAULT_SUBNET.prefix}`;
const SYSCTL = '/proc/sys/net/ipv4';

/** A container's place on the bridge. */
export interface BridgeEndpoint {
  /** 64 hex digits */
  id: string;
  address: string;
  mac: string;
  /** the lab host's end of its cable */
  veth: string;
  ports: PublishedPort[];
}

/** The path of a network namespace, by its sandbox id (Docker's word for it). */
export function netnsPath(networkSandbox: string): string {
  return `${IN_SANDBOX.run}/netns/${networkSandbox.slice(0, 12)}`;
}

/** The id of a default network: always the same for a sandbox, another for each sandbox. */
export function defaultNetworkId(sandboxId: string, name: string): string {
  return createHash('sha256').update(`${sandboxId}/network/${name}`).digest('hex');
}

/** Owns addresses and published ports of the default bridge. */
export class BridgeNetwork {
  readonly id: string;
  private readonly addresses = new AddressPool(DEFAULT_SUBNET);
  private readonly ports = new PortTable();
  private readonly endpoints = new Map<string, BridgeEndpoint>();
  private readonly lock = new Mutex();

  constructor(sandboxId: string) {
    this.id = defaultNetworkId(sandboxId, 'bridge');
  }

  /** Makes docker0 and its rules in the sandbox; what is there already is kept. */
  async setUp(init: InitApi): Promise<void> {
    const exists = await init.start([exec('ip', 'link', 'show', 'dev', BRIDGE)]).then(
      () => true,
      () => false,
    );
    const mac = macOf(DEFAULT_SUBNET.gateway);
    const lines = [
      ...(exists ? [] : [`link add ${BRIDGE} address ${mac} type bridge`]),
      `address replace ${DEFAULT_SUBNET.gateway}/${DEFAULT_SUBNET.prefix} brd + dev ${BRIDGE}`,
      `link set ${BRIDGE} up`,
    ];
    await init.start([
      { kind: 'mkdir', path: `${IN_SANDBOX.run}/netns`, mode: 0o755 },
      ipBatch(lines),
      { kind: 'write', path: `${SYSCTL}/ip_forward`, data: '1', plain: true },
      { kind: 'write', path: `${SYSCTL}/conf/${BRIDGE}/route_localnet`, data: '1', plain: true },
      this.rulesStep(),
    ]);
  }

  /** Takes an address and ports for a container. Throws SystemError (500, as Docker) in Docker's words when a port is taken. */
  connect(containerName: string, requests: readonly PortRequest[], mac?: string): BridgeEndpoint {
    const id = randomBytes(32).toString('hex');
    let ports: PublishedPort[];
    try {
      ports = this.ports.allocate(requests);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      throw new SystemError(
        `driver failed programming external connectivity on endpoint ${containerName} (${id}): ${error.message}`,
        { cause: error },
      );
    }
    const address = this.addresses.allocate();
    const endpoint = {
      id,
      address,
      mac: mac ?? macOf(address),
      veth: `veth${randomBytes(4).toString('hex').slice(0, 7)}`,
      ports,
    };
    this.endpoints.set(id, endpoint);
    return endpoint;
  }

  /** Notes an endpoint that a running container has already. */
  claim(endpoint: BridgeEndpoint): void {
    this.addresses.claim(endpoint.address);
    this.ports.claim(endpoint.ports);
    this.endpoints.set(endpoint.id, endpoint);
  }

  release(endpoint: BridgeEndpoint): void {
    const known = this.endpoints.get(endpoint.id);
    if (!known) return;
    this.endpoints.delete(endpoint.id);
    this.addresses.release(known.address);
    this.ports.release(known.ports);
  }

  /**
   * Runs a task whose steps write the table of published ports, when the endpoint has any: one at a time, so that the
   * last table written is the newest. The steps must be made within the task.
   */
  exclusively<T>(endpoint: BridgeEndpoint | null, task: () => Promise<T>): Promise<T> {
    return endpoint && endpoint.ports.length > 0 ? this.lock.run(task) : task();
  }

  /** The steps that lay a container's cable and publish its ports. The namespace has been made before. */
  connectSteps(endpoint: BridgeEndpoint, netns: string): Step[] {
    const { veth, mac, address } = endpoint;
    return [
      ipBatch([
        `link add ${veth} up master ${BRIDGE} type veth peer name eth0 address ${mac} netns ${netns}`,
      ]),
      {
        ...ipBatch([
          `address add ${address}/${DEFAULT_SUBNET.prefix} brd + dev eth0`,
          'link set eth0 up',
          `route add default via ${DEFAULT_SUBNET.gateway}`,
        ]),
        netns,
      },
      ...(endpoint.ports.length > 0 ? [this.rulesStep()] : []),
    ];
  }

  /** The step that withdraws the ports of an endpoint that was released; its cable goes with the namespace. */
  disconnectSteps(endpoint: BridgeEndpoint): Step[] {
    return endpoint.ports.length > 0 ? [this.rulesStep()] : [];
  }

  private rulesStep(): Step {
    const publications = [...this.endpoints.values()].flatMap(({ address, ports }) =>
      ports.map((port) => ({ ...port, address })),
    );
    return { ...exec('nft', '-f', '-'), stdin: renderRuleset(BRIDGE, SUBNET, publications) };
  }
}

type ExecStep = Extract<Step, { kind: 'exec' }>;

function exec(...argv: string[]): ExecStep {
  return { kind: 'exec', argv };
}

function ipBatch(lines: readonly string[]): ExecStep {
  return { ...exec('ip', '-batch', '-'), stdin: `${lines.join('\n')}\n` };
}

// All networks of a sandbox: the three that every Docker host has, and the user's; with their ports and rules.

import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { Conflict, EngineError, InvalidParameter, NotFound, SystemError } from '../errors.ts';
import type { InitApi, Step } from '../sandbox/init-types.ts';
import { Mutex } from '../sandbox/mutex.ts';
import { IN_SANDBOX } from '../sandbox/sandbox.ts';
import { readJsonDir, writeJsonFile } from '../store/json-file.ts';
import { BridgeNetwork, exec, interfaceExists, ipBatch } from './bridge.ts';
import type { HeldPort } from './host-ports.ts';
import { type PortRequest, PortTable } from './ports.ts';
import { type Attachment, type Endpoint, NetworkRecord } from './record.ts';
import { renderRuleset } from './ruleset.ts';

export const DEFAULT_BRIDGE = 'docker0';
/** Networks one sandbox may have: bridges and rules cost the kernel time and memory. */
const MAX_NETWORKS = 128;

/** The network of the lab host itself, or none at all. */
export interface BuiltinNetwork {
  readonly driver: 'host' | 'null';
  readonly id: string;
  readonly name: 'host' | 'none';
}
export type Network = BridgeNetwork | BuiltinNetwork;

/** The id of a default network: always the same for a sandbox, another for each sandbox. */
export function defaultNetworkId(sandboxId: string, name: string): string {
  return createHash('sha256').update(`${sandboxId}/network/${name}`).digest('hex');
}

/** Owns the networks, the published ports and the rules. */
export class Networks {
  readonly bridge: BridgeNetwork;
  readonly #directory: string;
  readonly #builtin: readonly BuiltinNetwork[];
  readonly #own = new Map<string, BridgeNetwork>();
  readonly #ports = new PortTable();
  /** held while the rules are written, so that the last table written is the newest */
  readonly #rules = new Mutex();
  /** held while networks come and go */
  readonly changes = new Mutex();

  private constructor(stateDir: string, sandboxId: string, created: string) {
    this.#directory = path.join(stateDir, 'networks');
    this.bridge = new BridgeNetwork(defaultBridge(defaultNetworkId(sandboxId, 'bridge'), created), true);
    this.#builtin = [
      { driver: 'host', id: defaultNetworkId(sandboxId, 'host'), name: 'host' },
      { driver: 'null', id: defaultNetworkId(sandboxId, 'none'), name: 'none' },
    ];
  }

  /** Reads the records. `created`: when the sandbox's daemon came to be. One that is damaged is reported and left out. */
  static async open(
    stateDir: string,
    sandboxId: string,
    created: string,
    onBad: (error: Error) => void,
  ): Promise<Networks> {
    const networks = new Networks(stateDir, sandboxId, created);
    for (const record of (await readJsonDir(networks.#directory, NetworkRecord, onBad)).values()) {
      networks.#keep(record);
    }
    return networks;
  }

  #keep(record: NetworkRecord): BridgeNetwork {
    const network = new BridgeNetwork(record, false);
    this.#own.set(record.id, network);
    return network;
  }

  /** The default bridge first. */
  bridges(): BridgeNetwork[] {
    return [this.bridge, ...this.#own.values()];
  }

  list(): Network[] {
    return [...this.bridges(), ...this.#builtin];
  }

  /** By name, id or unambiguous start of the id. Throws NotFound in Docker's words. */
  get(reference: string): Network {
    const all = this.list();
    const exact = all.find(({ name, id }) => name === reference || id === reference);
    if (exact) return exact;
    const matches = reference === '' ? [] : all.filter(({ id }) => id.startsWith(reference));
    const [match] = matches;
    if (matches.length > 1) {
      throw new InvalidParameter(
        `network ${reference} is ambiguous (${matches.length} matches found based on ID prefix)`,
      );
    }
    if (!match) throw new NotFound(`network ${reference} not found`);
    return match;
  }

  find(reference: string): Network | undefined {
    try {
      return this.get(reference);
    } catch (error) {
      if (error instanceof EngineError) return undefined;
      throw error;
    }
  }

  /** The bridge network that an attachment is to: by its id, or by the name while it has none. */
  bridgeOf({ networkId, name }: Pick<Attachment, 'networkId' | 'name'>): BridgeNetwork | undefined {
    if (networkId !== '') return this.bridges().find(({ id }) => id === networkId);
    const network = this.find(name);
    return network instanceof BridgeNetwork ? network : undefined;
  }

  /** Records a network, then makes it; leaves neither when that fails. The caller holds `changes`. */
  async add(record: NetworkRecord, init: InitApi): Promise<BridgeNetwork> {
    if (this.#own.size >= MAX_NETWORKS) {
      throw new Conflict(`this lab host has ${MAX_NETWORKS} networks; remove some (docker network prune)`);
    }
    await writeJsonFile(this.#file(record.id), record);
    const network = this.#keep(record);
    try {
      await this.#withRules(() => init.start([...network.makeSteps(), this.#rulesStep()]));
    } catch (error) {
      await this.remove(network, init);
      throw error;
    }
    return network;
  }

  /** Takes a network away that nobody is on. The caller holds `changes`. */
  async remove(network: BridgeNetwork, init: InitApi): Promise<void> {
    await rm(this.#file(network.id), { force: true });
    this.#own.delete(network.id);
    await this.#withRules(() => init.start([this.#rulesStep()]));
    // A bridge that somebody has removed by hand is gone as well.
    await init.start(network.removeSteps()).catch(() => undefined);
  }

  #file(id: string): string {
    return path.join(this.#directory, `${id}.json`);
  }

  /** Makes every bridge and its rules in the sandbox; what is there already is kept. */
  async setUp(init: InitApi): Promise<void> {
    const bridges = this.bridges();
    const there = await Promise.all(bridges.map(({ record }) => interfaceExists(init, record.bridge)));
    await init.start([
      { kind: 'mkdir', path: `${IN_SANDBOX.run}/netns`, mode: 0o755 },
      { kind: 'write', path: '/proc/sys/net/ipv4/ip_forward', data: '1', plain: true },
      ...bridges.filter((_, index) => !there[index]).flatMap((bridge) => bridge.makeSteps()),
      this.#rulesStep(),
    ]);
  }

  /**
   * Takes published ports for an endpoint, all or none. Throws SystemError (500, as Docker) in Docker's words when one is
   * taken, by a container or by a program of the lab host (`held`).
   */
  publish(
    endpoint: Endpoint,
    containerName: string,
    requests: readonly PortRequest[],
    held: readonly HeldPort[],
  ): void {
    try {
      endpoint.ports = this.#ports.allocate(requests, held);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      throw new SystemError(
        `driver failed programming external connectivity on endpoint ${containerName} (${endpoint.id}): ${error.message}`,
        { cause: error },
      );
    }
  }

  /** Notes what running containers have already. */
  claim(attachments: readonly Attachment[]): void {
    for (const attachment of attachments) {
      if (!attachment.endpoint) continue;
      this.#ports.claim(attachment.endpoint.ports);
      this.bridgeOf(attachment)?.claim(attachment.endpoint);
    }
  }

  release(attachments: readonly Attachment[]): void {
    for (const attachment of attachments) {
      if (!attachment.endpoint || !this.bridgeOf(attachment)?.release(attachment.endpoint)) continue;
      this.#ports.release(attachment.endpoint.ports);
    }
  }

  /**
   * Runs a task whose steps write the rules when the attachments need it: one at a time. The steps must be made within the
   * task.
   */
  exclusively<T>(attachments: readonly Attachment[], task: () => Promise<T>): Promise<T> {
    return hasPorts(attachments) ? this.#rules.run(task) : task();
  }

  #withRules<T>(task: () => Promise<T>): Promise<T> {
    return this.#rules.run(task);
  }

  /** The steps that lay all cables of a container and publish its ports. The namespace has been made before. */
  connectSteps(attachments: readonly Attachment[], netns: string): Step[] {
    const cables: string[] = [];
    const ends: string[] = [];
    for (const attachment of attachments) {
      const network = this.bridgeOf(attachment);
      if (!network || !attachment.endpoint) continue;
      cables.push(...network.cableLines(attachment.endpoint, netns));
      ends.push(...network.endLines(attachment.endpoint));
    }
    if (cables.length === 0) return [];
    return [
      ipBatch(cables),
      ipBatch([...ends, ...routeLines(attachments)], netns),
      ...(hasPorts(attachments) ? [this.#rulesStep()] : []),
    ];
  }

  /** The attachment with the default route and its network. */
  gatewayOf(attachments: readonly Attachment[]): { endpoint: Endpoint; network: BridgeNetwork } | undefined {
    const attachment = gatewayOf(attachments);
    const network = attachment && this.bridgeOf(attachment);
    return attachment?.endpoint && network ? { endpoint: attachment.endpoint, network } : undefined;
  }

  /** The steps that connect a container that runs to one more network; `all` has the new one too. */
  joinSteps(attachment: Attachment, all: readonly Attachment[], netns: string): Step[] {
    const network = this.bridgeOf(attachment);
    if (!network || !attachment.endpoint) return [];
    return [
      ipBatch(network.cableLines(attachment.endpoint, netns)),
      ipBatch([...network.endLines(attachment.endpoint), ...routeLines(all)], netns),
      ...(hasPorts(all) ? [this.#rulesStep()] : []),
    ];
  }

  /** The steps that take a container that runs off a network; `rest` is what it keeps. */
  leaveSteps(attachment: Attachment, rest: readonly Attachment[], netns: string): Step[] {
    if (!attachment.endpoint) return [];
    const routes = routeLines(rest);
    return [
      exec('ip', 'link', 'delete', attachment.endpoint.veth),
      ...(routes.length > 0 ? [ipBatch(routes, netns)] : []),
      ...(hasPorts([attachment, ...rest]) ? [this.#rulesStep()] : []),
    ];
  }

  /** The steps that cut the cables of a container whose start is tried again: with the namespace alone they would go later. */
  cutSteps(attachments: readonly Attachment[]): Step[] {
    const lines = attachments.flatMap(({ endpoint }) => (endpoint ? [`link delete ${endpoint.veth}`] : []));
    return lines.length > 0 ? [ipBatch(lines)] : [];
  }

  /** The steps that withdraw the ports of attachments that were released; cables go with the namespace. */
  disconnectSteps(attachments: readonly Attachment[]): Step[] {
    return hasPorts(attachments) ? [this.#rulesStep()] : [];
  }

  #rulesStep(): Step {
    return { ...exec('nft', '-f', '-'), stdin: renderRuleset(this.bridges()) };
  }
}

function hasPorts(attachments: readonly Attachment[]): boolean {
  return attachments.some(({ endpoint }) => endpoint !== null && endpoint.ports.length > 0);
}

function routeLines(attachments: readonly Attachment[]): string[] {
  const endpoint = gatewayOf(attachments)?.endpoint;
  return endpoint ? [`route replace default via ${endpoint.gateway} dev ${endpoint.device}`] : [];
}

/** The attachment with the default route: the highest priority, then the first by name; internal ones have none to give. */
export function gatewayOf(attachments: readonly Attachment[]): Attachment | undefined {
  return attachments
    .filter(({ endpoint }) => endpoint !== null && endpoint.gateway !== '')
    .sort((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1))[0];
}

function defaultBridge(id: string, created: string): NetworkRecord {
  const subnet = '172.17.0.0/16';
  const gateway = '172.17.0.1';
  return {
    id,
    name: 'bridge',
    created,
    internal: false,
    attachable: false,
    labels: {},
    options: {
      'com.docker.network.bridge.default_bridge': 'true',
      'com.docker.network.bridge.enable_icc': 'true',
      'com.docker.network.bridge.enable_ip_masquerade': 'true',
      'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
      'com.docker.network.bridge.name': DEFAULT_BRIDGE,
      'com.docker.network.driver.mtu': '1500',
    },
    ipamOptions: {},
    ipam: { Subnet: subnet, Gateway: gateway },
    hasOwnSubnet: false,
    subnet,
    gateway,
    range: subnet,
    bridge: DEFAULT_BRIDGE,
  };
}

// A bridge network: its interface, its addresses, the containers on it, and the steps that connect them.

import { randomBytes } from 'node:crypto';
import type { InitApi, Step } from '../sandbox/init-types.ts';
import { IN_SANDBOX } from '../sandbox/sandbox.ts';
import { AddressPool, macOf } from './addresses.ts';
import type { Endpoint, NetworkRecord } from './record.ts';
import { parseSubnet } from './subnet.ts';

const SYSCTL = '/proc/sys/net/ipv4';
const OPTION = 'com.docker.network';

/** The path of a network namespace, by its sandbox id (Docker's word for it). */
export function netnsPath(networkSandbox: string): string {
  return `${IN_SANDBOX.run}/netns/${networkSandbox.slice(0, 12)}`;
}

/** Owns the addresses of one network, and knows who is on it. */
export class BridgeNetwork {
  readonly driver = 'bridge';
  readonly #addresses: AddressPool;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #prefix: number;

  constructor(
    readonly record: NetworkRecord,
    /** docker0: without names, and never removed */
    readonly isDefault: boolean,
  ) {
    const subnet = parseSubnet(record.subnet) ?? { base: 0, prefix: 32 };
    const reserved = [record.gateway, ...Object.values(record.ipam.AuxiliaryAddresses ?? {})];
    this.#addresses = new AddressPool(subnet, reserved, parseSubnet(record.range));
    this.#prefix = subnet.prefix;
  }

  get id(): string {
    return this.record.id;
  }
  get name(): string {
    return this.record.name;
  }
  get endpoints(): Endpoint[] {
    return [...this.#endpoints.values()];
  }

  /** A boolean option of the bridge driver, by the last part of its name. */
  option(name: string, otherwise: boolean): boolean {
    const value = this.record.options[`${OPTION}.bridge.${name}`];
    return value === undefined ? otherwise : /^(1|t|true)$/i.test(value);
  }

  get mtu(): number | undefined {
    const text = this.record.options[`${OPTION}.driver.mtu`];
    return text === undefined ? undefined : Number(text);
  }

  /** The host address that ports are published on where none is named. */
  get hostBinding(): string {
    return this.record.options[`${OPTION}.bridge.host_binding_ipv4`] || '0.0.0.0';
  }

  /** Takes an address for a container. Throws in Docker's words when there is none, or the wanted one is taken. */
  allocate(wanted: { address?: string; mac?: string; device: string }): Endpoint {
    const address = this.#addresses.allocate(wanted.address);
    const endpoint: Endpoint = {
      id: randomBytes(32).toString('hex'),
      address,
      prefix: this.#prefix,
      gateway: this.record.internal ? '' : this.record.gateway,
      mac: wanted.mac ?? macOf(address),
      veth: `veth${randomBytes(4).toString('hex').slice(0, 7)}`,
      device: wanted.device,
      ports: [],
    };
    this.#endpoints.set(endpoint.id, endpoint);
    return endpoint;
  }

  /** Notes an endpoint that a running container has already. */
  claim(endpoint: Endpoint): void {
    this.#addresses.claim(endpoint.address);
    this.#endpoints.set(endpoint.id, endpoint);
  }

  /** True when it was there. */
  release(endpoint: Endpoint): boolean {
    if (!this.#endpoints.delete(endpoint.id)) return false;
    this.#addresses.release(endpoint.address);
    return true;
  }

  /** Makes the bridge in the sandbox; called when it is not there. */
  makeSteps(): Step[] {
    const { bridge, gateway } = this.record;
    const mtu = this.mtu === undefined ? '' : ` mtu ${this.mtu}`;
    return [
      ipBatch([
        `link add ${bridge} address ${macOf(gateway)}${mtu} type bridge`,
        `address replace ${gateway}/${this.#prefix} brd + dev ${bridge}`,
        `link set ${bridge} up`,
      ]),
      { kind: 'write', path: `${SYSCTL}/conf/${bridge}/route_localnet`, data: '1', plain: true },
    ];
  }

  removeSteps(): Step[] {
    return [exec('ip', 'link', 'delete', this.record.bridge)];
  }

  /** The lines of `ip -batch` that lay a cable, given in the lab host. */
  cableLines({ veth, device, mac }: Endpoint, netns: string): string[] {
    const { bridge } = this.record;
    const mtu = this.mtu === undefined ? '' : ` mtu ${this.mtu}`;
    return [
      `link add ${veth}${mtu} up master ${bridge} type veth peer name ${device} address ${mac}${mtu} netns ${netns}`,
      // Isolated ports of a bridge reach the bridge itself and no other isolated port.
      ...(this.option('enable_icc', true) ? [] : [`link set ${veth} type bridge_slave isolated on`]),
    ];
  }

  /** The lines of `ip -batch` that set up the container's end. */
  endLines({ address, prefix, device }: Endpoint): string[] {
    return [`address add ${address}/${prefix} brd + dev ${device}`, `link set ${device} up`];
  }
}

/** Whether a network interface is there in the sandbox. */
export async function interfaceExists(init: InitApi, name: string): Promise<boolean> {
  try {
    const file = await init.readFile(`/sys/class/net/${name}/ifindex`, { limit: 16 });
    file.body.destroy();
    return true;
  } catch {
    return false;
  }
}

type ExecStep = Extract<Step, { kind: 'exec' }>;

export function exec(...argv: string[]): ExecStep {
  return { kind: 'exec', argv };
}

/** One `ip -batch` for all lines, in a network namespace or the lab host's own. */
export function ipBatch(lines: readonly string[], netns?: string): ExecStep {
  return {
    ...exec('ip', '-batch', '-'),
    stdin: `${lines.join('\n')}\n`,
    ...(netns === undefined ? {} : { netns }),
  };
}

// Published ports: how they are asked for, and which port of the lab host is whose.

import { Conflict, InvalidParameter, NotImplemented } from '../errors.ts';
import type { HeldPort } from './host-ports.ts';
import { isAddress } from './subnet.ts';

export interface PublishedPort {
  proto: 'tcp' | 'udp';
  containerPort: number;
  /** 0.0.0.0 is every address */
  hostIp: string;
  hostPort: number;
}

/** A wish for a port; the host port may be left to us (0) or be a range. */
export interface PortRequest {
  proto: 'tcp' | 'udp';
  containerPort: number;
  hostIp: string;
  hostPorts: { first: number; last: number };
}

/** Where ports for `-p 80` and `-P` come from: the kernel's default ip_local_port_range, as in Docker. */
const EPHEMERAL = { first: 32768, last: 60999 };
const ANY = '0.0.0.0';

/** Parses `80/tcp`, `53/udp` or `80`. Throws InvalidParameter, or NotImplemented for sctp. */
export function parsePort(text: string): { proto: 'tcp' | 'udp'; port: number } {
  const match = /^(\d{1,5})(?:\/([a-zA-Z]+))?$/.exec(text);
  const port = Number(match?.[1]);
  const proto = (match?.[2] ?? 'tcp').toLowerCase();
  if (!match || port < 1 || port > 65535) throw new InvalidParameter(`invalid port specification: "${text}"`);
  if (proto === 'sctp') throw new NotImplemented('publishing sctp ports is not supported yet');
  if (proto !== 'tcp' && proto !== 'udp') throw new InvalidParameter(`invalid proto: ${proto}`);
  return { proto, port };
}

/** Parses one binding of HostConfig.PortBindings. */
export function parseBinding(port: string, binding: { HostIp: string; HostPort: string }): PortRequest {
  const { proto, port: containerPort } = parsePort(port);
  const match = /^(?:(\d{1,5})(?:-(\d{1,5}))?)?$/.exec(binding.HostPort);
  const first = Number(match?.[1] ?? 0);
  const last = Number(match?.[2] ?? first);
  if (!match || first > 65535 || last > 65535 || last < first) {
    throw new InvalidParameter(`invalid port specification: "${binding.HostPort}"`);
  }
  const hostIp = binding.HostIp || ANY;
  if (hostIp.includes(':'))
    throw new NotImplemented(`publishing on the IPv6 address ${hostIp} is not supported yet`);
  if (!isAddress(hostIp)) throw new InvalidParameter(`invalid IP address: ${hostIp}`);
  return { proto, containerPort, hostIp, hostPorts: { first, last } };
}

function isHeld(held: readonly HeldPort[], proto: string, hostIp: string, port: number): boolean {
  return held.some(
    (other) =>
      other.proto === proto &&
      other.port === port &&
      (other.address === hostIp || other.address === ANY || hostIp === ANY),
  );
}

/** Owns which host ports are in use. */
export class PortTable {
  private readonly inUse = new Set<PublishedPort>();
  private nextEphemeral = EPHEMERAL.first;

  /** Takes ports for all requests, or none of them, around those that are `held`. Throws Conflict in Docker's words. */
  allocate(requests: readonly PortRequest[], held: readonly HeldPort[] = []): PublishedPort[] {
    const taken: PublishedPort[] = [];
    try {
      for (const request of requests) taken.push(this.allocateOne(request, held));
      return taken;
    } catch (error) {
      this.release(taken);
      throw error;
    }
  }

  /** Notes ports that a running container has already. */
  claim(ports: readonly PublishedPort[]): void {
    for (const port of ports) this.inUse.add(port);
  }

  release(ports: readonly PublishedPort[]): void {
    for (const port of ports) this.inUse.delete(port);
  }

  private allocateOne(
    { proto, containerPort, hostIp, hostPorts }: PortRequest,
    held: readonly HeldPort[],
  ): PublishedPort {
    const hostPort =
      hostPorts.first === 0
        ? this.ephemeral(proto, hostIp, held)
        : this.firstFree(proto, hostIp, hostPorts, held);
    const port = { proto, containerPort, hostIp, hostPort };
    this.inUse.add(port);
    return port;
  }

  private firstFree(
    proto: string,
    hostIp: string,
    range: { first: number; last: number },
    held: readonly HeldPort[],
  ): number {
    for (let port = range.first; port <= range.last; port++) {
      if (!this.isFree(proto, hostIp, port)) continue;
      if (!isHeld(held, proto, hostIp, port)) return port;
      if (range.first === range.last) {
        throw new Conflict(
          `failed to bind port ${hostIp}:${port}/${proto}: listen ${proto}4 ${hostIp}:${port}: bind: address already in use`,
        );
      }
    }
    if (range.first === range.last) {
      throw new Conflict(`Bind for ${hostIp}:${range.first} failed: port is already allocated`);
    }
    throw new Conflict('all ports are allocated');
  }

  private ephemeral(proto: string, hostIp: string, held: readonly HeldPort[]): number {
    const count = EPHEMERAL.last - EPHEMERAL.first + 1;
    for (let tried = 0; tried < count; tried++) {
      const port = this.nextEphemeral;
      this.nextEphemeral = port === EPHEMERAL.last ? EPHEMERAL.first : port + 1;
      if (this.isFree(proto, hostIp, port) && !isHeld(held, proto, hostIp, port)) return port;
    }
    throw new Conflict('all ports are allocated');
  }

  private isFree(proto: string, hostIp: string, hostPort: number): boolean {
    for (const other of this.inUse) {
      const meets = other.hostIp === hostIp || other.hostIp === ANY || hostIp === ANY;
      if (other.proto === proto && other.hostPort === hostPort && meets) return false;
    }
    return true;
  }
}

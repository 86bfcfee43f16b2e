// --link on the default bridge: the linked container's address in /etc/hosts, its ports and variables in the environment.

import { InvalidParameter, NotFound, SystemError } from '../errors.ts';
import { parsePort } from '../network/ports.ts';
import type { HostConfig } from './config.ts';
import type { Container } from './container.ts';
import { containerDir, hostsFile } from './files.ts';
import type { ContainerParts } from './parts.ts';
import { type ContainerRecord, isRunning } from './record.ts';

/** Variables that every container has, so that they say nothing of the linked one. */
const NOT_PASSED = ['HOME', 'PATH'];

/** A link as it takes effect. */
export interface Link {
  alias: string;
  target: ContainerRecord;
  address: string;
}

/** A link in any form: `db`, `db:alias`, `/db:/web/alias` (as inspect shows it). */
function parseLink(text: string): { target: string; alias: string } {
  const [target = '', alias = target] = text.split(':');
  const name = target.replace(/^\//, '');
  const last = alias.split('/').at(-1) ?? '';
  if (name === '' || last === '' || text.split(':').length > 2) {
    throw new InvalidParameter(`bad format for links: ${text}`);
  }
  return { target: name, alias: last };
}

/** The links of a new container as inspect shows them. Throws InvalidParameter when one leads nowhere. */
export function normalLinks(parts: ContainerParts, name: string, host: HostConfig): string[] | null {
  if (!host.Links || host.Links.length === 0) return null;
  return host.Links.map((text) => {
    const { target, alias } = parseLink(text);
    try {
      return `/${parts.containers.get(target).record.name}:/${name}/${alias}`;
    } catch (error) {
      if (!(error instanceof NotFound)) throw error;
      throw new InvalidParameter(`could not get container for ${target}: ${error.message}`, { cause: error });
    }
  });
}

/** What the links of a container that is about to start lead to. Throws SystemError, as Docker, when it does not run. */
export function linksOf(parts: ContainerParts, record: ContainerRecord): Link[] {
  return (record.hostConfig.Links ?? []).map((text) => {
    const { target: name, alias } = parseLink(text);
    const target = parts.containers.get(name).record;
    const address = bridgeAddress(target);
    if (!isRunning(target) || address === undefined) {
      throw new SystemError(`Cannot link to a non running container: /${name} AS /${record.name}/${alias}`);
    }
    return { alias, target, address };
  });
}

function bridgeAddress({ networks }: ContainerRecord): string | undefined {
  return networks.find(({ name }) => name === 'bridge')?.endpoint?.address;
}

/** Lines of /etc/hosts. */
export function linkHosts(links: readonly Link[]): string[][] {
  return links.map(({ alias, target, address }) => {
    const names = new Set([alias, target.config.Hostname, target.name]);
    return [address, [...names].join(' ')];
  });
}

/** Variables that tell of the linked containers (Docker's documents: "Legacy container links"). */
export function linkVariables(record: ContainerRecord, links: readonly Link[]): string[] {
  return links.flatMap(({ alias, target, address }) => {
    const prefix = alias.toUpperCase().replace(/-/g, '_');
    const ports = Object.keys(target.config.ExposedPorts ?? {})
      .map(parsePort)
      .sort((a, b) => a.port - b.port);
    const [first] = ports;
    const url = ({ proto, port }: { proto: string; port: number }) => `${proto}://${address}:${port}`;
    return [
      ...(first ? [`${prefix}_PORT=${url(first)}`] : []),
      ...ports.flatMap((each) => {
        const name = `${prefix}_PORT_${each.port}_${each.proto.toUpperCase()}`;
        return [
          `${name}=${url(each)}`,
          `${name}_ADDR=${address}`,
          `${name}_PORT=${each.port}`,
          `${name}_PROTO=${each.proto}`,
        ];
      }),
      `${prefix}_NAME=/${record.name}/${alias}`,
      ...(target.config.Env ?? []).flatMap((variable) => {
        const name = variable.split('=', 1)[0] ?? '';
        return NOT_PASSED.includes(name) || !variable.includes('=') ? [] : [`${prefix}_ENV_${variable}`];
      }),
    ];
  });
}

/** The names that links give a container, besides its own: `/web/db`. */
export function linkNames(parts: ContainerParts, name: string): string[] {
  return parts.containers.list().flatMap(({ record }) =>
    (record.hostConfig.Links ?? []).flatMap((text) => {
      const { target, alias } = parseLink(text);
      return target === name ? [`/${record.name}/${alias}`] : [];
    }),
  );
}

/** docker rm --link web/db: the link alone. Throws NotFound when there is none. */
export async function removeLink(parts: ContainerParts, reference: string): Promise<void> {
  const [owner = '', alias = ''] = reference.replace(/^\//, '').split('/');
  const container = alias === '' ? undefined : parts.containers.find(owner);
  const links = container?.record.hostConfig.Links ?? [];
  const rest = links.filter((text) => parseLink(text).alias !== alias);
  if (!container || rest.length === links.length) throw new NotFound(`No such container: ${reference}`);
  await container.lock.run(() =>
    parts.containers.update(container, {
      hostConfig: { ...container.record.hostConfig, Links: rest.length > 0 ? rest : null },
    }),
  );
}

/** A container that others link to has started again, perhaps at another address: their /etc/hosts says so. */
export async function renewLinks(parts: ContainerParts, target: Container): Promise<void> {
  for (const { record } of parts.containers.list()) {
    const isMeant = (record.hostConfig.Links ?? []).some(
      (text) => parseLink(text).target === target.record.name,
    );
    if (!isMeant || !isRunning(record) || record.id === target.id) continue;
    const data = hostsFile(
      record,
      parts.networks.bridge.record.gateway,
      linkHosts(knownLinks(parts, record)),
    );
    await parts.sandbox.init.start([
      { kind: 'write', path: `${containerDir(record.id)}/hosts`, data, plain: true },
    ]);
  }
}

/** The links whose targets run. */
export function knownLinks(parts: ContainerParts, record: ContainerRecord): Link[] {
  return (record.hostConfig.Links ?? []).flatMap((text) => {
    const { target: name, alias } = parseLink(text);
    const target = parts.containers.find(name)?.record;
    const address = target && isRunning(target) ? bridgeAddress(target) : undefined;
    return target && address !== undefined ? [{ alias, target, address }] : [];
  });
}

/** A container has another name now: links to it follow it. The caller holds no lock of another container. */
export async function renameInLinks(parts: ContainerParts, oldName: string, name: string): Promise<void> {
  for (const container of parts.containers.list()) {
    const { Links } = container.record.hostConfig;
    if (!Links?.some((text) => parseLink(text).target === oldName)) continue;
    const renamed = Links.map((text) => {
      const [target = '', alias = ''] = text.split(':');
      return parseLink(text).target === oldName ? `/${name}:${alias}` : `${target}:${alias}`;
    });
    await parts.containers.update(container, {
      hostConfig: { ...container.record.hostConfig, Links: renamed },
    });
  }
}

// Which registries there are: those in a sandbox's own network, and those that the operator lists for everyone.

import fs from 'node:fs/promises';
import { BlockList, isIP } from 'node:net';
import { messageOf, SystemError } from '../errors.ts';
import type { InitApi } from '../sandbox/init-types.ts';
import { type Endpoint, Repository } from './client.ts';
import { type Credentials, isAnonymous, NO_CREDENTIALS } from './credentials.ts';
import { readBody, send } from './http.ts';
import { HostNetwork, isLoopback, type RegistryNetwork, SandboxNetwork, Unreachable } from './network.ts';

/** What the operator says of registries. */
export interface RegistrySettings {
  /** hosts (`ghcr.io`, `registry.lan:5000`, `docker.io`) that the engine may connect to; `*.suffix` for what these redirect to */
  hosts: readonly string[];
  /** addresses (`https://mirror.lan`) that are asked before Docker Hub */
  mirrors: readonly string[];
  /** `host:port`, host or network (`10.0.0.0/8`) where certificates are not looked at and HTTP will do */
  insecure: readonly string[];
  /** Docker Hub (or a mirror) is asked before the catalogue; that is for when it cannot be reached */
  official: boolean;
}

/** A repository, and who can reach it. */
export interface OpenedRepository {
  repository: Repository;
  /** everybody gets the same from it: reached from the engine's side, without a student's credentials */
  isPublic: boolean;
}

/** Docker Hub answers under these names. */
const HUB = 'docker.io';
const HUB_REGISTRY = 'registry-1.docker.io';
const HUB_HOSTS = [
  HUB_REGISTRY,
  'auth.docker.io',
  'production.cloudflare.docker.com',
  'production.cloudfront.docker.com',
  'docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com',
];

/** Bytes of the answer to a search. */
const MAX_RESULTS = 2 ** 20;

interface Candidate {
  endpoint: Endpoint;
  isHostSide: boolean;
}

export class Registries {
  readonly #settings: RegistrySettings;
  readonly #host: HostNetwork;

  /** Images of Docker Hub are wanted rather than the catalogue's of the same names. */
  get prefersOfficial(): boolean {
    return this.#settings.official;
  }

  constructor(settings: RegistrySettings) {
    this.#settings = settings;
    const hub = settings.hosts.includes(HUB) ? HUB_HOSTS : [];
    const mirrors = settings.mirrors
      .map((each) => new URL(each))
      .map(({ hostname, port, protocol }) => {
        return `${hostname}:${port || (protocol === 'http:' ? 80 : 443)}`;
      });
    // without TLS the engine connects to port 80 of an insecure registry that names no port
    const plain = settings.hosts
      .filter((each) => !/:\d+$/.test(each) && this.#isInsecure(each))
      .map((each) => `${each}:80`);
    this.#host = new HostNetwork([...settings.hosts, ...hub, ...mirrors, ...plain], readHostAuthorities);
  }

  /** Docker's /info. */
  get settings(): RegistrySettings {
    return this.#settings;
  }

  /**
   * Opens a repository of the registry `domain` at the first endpoint that answers.
   * Rejects with Unreachable in the words of the last one.
   */
  async open(
    init: InitApi,
    name: { domain: string; path: string },
    options: { credentials?: Credentials; writes?: boolean; signal: AbortSignal },
  ): Promise<OpenedRepository> {
    const { credentials = NO_CREDENTIALS, writes = false, signal } = options;
    let failure: Error = new SystemError(`no endpoint for ${name.domain}`);
    for (const { endpoint, isHostSide } of this.#candidates(init, name.domain, writes)) {
      try {
        // mirrors are not the registry that the account is of
        const isMirror = name.domain === HUB && endpoint.base.hostname !== HUB_REGISTRY;
        const known = isMirror ? NO_CREDENTIALS : credentials;
        const repository = await Repository.open(endpoint, name.path, known, signal);
        return { repository, isPublic: isHostSide && isAnonymous(known) };
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  /** Asks a registry of the first protocol for repositories; later ones cannot be searched. */
  async search(
    init: InitApi,
    domain: string,
    term: string,
    limit: number,
    signal: AbortSignal,
  ): Promise<unknown> {
    let failure: Error = new SystemError(`no endpoint for ${domain}`);
    for (const { endpoint } of this.#candidates(init, domain, true)) {
      const url = new URL('/v1/search', endpoint.base);
      url.searchParams.set('q', term);
      url.searchParams.set('n', String(limit));
      try {
        const response = await send(endpoint.speech, { method: 'GET', url, signal });
        if (response.status !== 200) {
          response.drop();
          throw new SystemError(`Unexpected status code ${response.status}`);
        }
        const body = await readBody(response, MAX_RESULTS);
        return JSON.parse(body?.toString('utf8') ?? '');
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  #candidates(init: InitApi, domain: string, writes: boolean): Candidate[] {
    const mirrors =
      domain === HUB && !writes
        ? this.#settings.mirrors.flatMap((each) => this.#at(this.#host, new URL(each), true))
        : [];
    const isListed = this.#settings.hosts.includes(domain);
    const network = isListed ? this.#host : new SandboxNetwork(init);
    const host = domain === HUB ? HUB_REGISTRY : domain;
    return [...mirrors, ...this.#at(network, parseBase(`https://${host}`), isListed)];
  }

  #at(network: RegistryNetwork, base: URL, isHostSide: boolean): Candidate[] {
    const isInsecure = this.#isInsecure(base.host);
    const candidate = (url: URL): Candidate => ({
      endpoint: { base: url, speech: { network, isInsecure } },
      isHostSide,
    });
    if (base.protocol === 'http:' || !isInsecure) return [candidate(base)];
    return [candidate(base), candidate(parseBase(`http://${base.host}`))];
  }

  #isInsecure(hostAndPort: string): boolean {
    const host = hostAndPort.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    if (isLoopback(host)) return true;
    const networks = new BlockList();
    for (const each of this.#settings.insecure) {
      if (each === hostAndPort || each === host) return true;
      const [, address = '', prefix] = /^([\d.]+|[\da-f:]+)\/(\d+)$/i.exec(each) ?? [];
      const family = isIP(address);
      if (family !== 0) networks.addSubnet(address, Number(prefix), family === 4 ? 'ipv4' : 'ipv6');
    }
    const family = isIP(host);
    return family !== 0 && networks.check(host, family === 4 ? 'ipv4' : 'ipv6');
  }
}

function parseBase(text: string): URL {
  try {
    return new URL(text);
  } catch (error) {
    throw new SystemError(`invalid registry: ${messageOf(error)}`, { cause: error });
  }
}

/** Where Docker's own daemon looks, on the host of the engine. */
async function readHostAuthorities(hostAndPort: string): Promise<string> {
  return fs.readFile(`/etc/docker/certs.d/${hostAndPort}/ca.crt`, 'utf8').catch(() => '');
}

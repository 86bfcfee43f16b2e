// How a registry is reached: from inside a sandbox through its PID 1, or from the engine's side, where only listed hosts are.

// How a registry is reached: from inside a sandbox through its PID 1, or from the engine's side, where only listed hosts are.

import net, { isIP, isIPv6 } from 'node:net';
import type { Duplex } from 'node:stream';
import { SystemError } from '../errors.ts';
import type { InitApi } from '../sandbox/init-types.ts';
import { readSmallFile, resolveInSandbox } from './names.ts';

const CONNECT_TIMEOUT = 15_000;

/** A way to registries, and what is known on it of their certificates. */
export interface RegistryNetwork {
  /** Connects by TCP. Rejects with Unreachable, in the words of Docker. */
  connect(host: string, port: number, signal: AbortSignal): Promise<Duplex>;
  /** PEM certificates that a host's certificate may be signed by, besides the usual authorities; '' when there are none. */
  authorities(hostAndPort: string): Promise<string>;
}

/** A registry that does not answer: nothing listens, its name is unknown, it is too slow, or TLS fails. */
export class Unreachable extends SystemError {}

/** A host that the engine may not connect to. */
export class NotListed extends SystemError {}

/** What lies in a sandbox's network. A sandbox can reach no more by it than by a program of its own. */
export class SandboxNetwork implements RegistryNetwork {
  constructor(private readonly init: InitApi) {}

  async connect(host: string, port: number, signal: AbortSignal): Promise<Duplex> {
    const addresses = await resolveInSandbox(this.init, host, signal);
    let failure = `dial tcp: lookup ${host}: no such host`;
    for (const address of addresses) {
      signal.throwIfAborted();
      try {
        return await this.init.dial(address, port, { timeout: CONNECT_TIMEOUT });
      } catch (error) {
        failure = `dial tcp ${withPort(address, port)}: ${reasonOf(error)}`;
      }
    }
    throw new Unreachable(failure);
  }

  authorities(hostAndPort: string): Promise<string> {
    if (!isSafeName(hostAndPort)) return Promise.resolve('');
    return readSmallFile(this.init, `/etc/docker/certs.d/${hostAndPort}/ca.crt`);
  }
}

/** Registries that the operator lists: the engine itself connects to these, and to nothing else. */
export class HostNetwork implements RegistryNetwork {
  readonly #allowed: ReadonlySet<string>;
  readonly #suffixes: readonly string[];
  readonly #authorities: (hostAndPort: string) => Promise<string>;

  /**
   * @param allowed `host`, `host:port` (443 without one) or `*.suffix` for every host below it at port 443
   * @param authorities reads more certificate authorities of a host
   */
  constructor(allowed: readonly string[], authorities: (hostAndPort: string) => Promise<string>) {
    const lower = allowed.map((each) => each.toLowerCase());
    this.#suffixes = lower.filter((each) => each.startsWith('*.')).map((each) => each.slice(1));
    this.#allowed = new Set(
      lower
        .filter((each) => !each.startsWith('*.'))
        .map((each) => (/:\d+$/.test(each) ? each : `${each}:443`)),
    );
    this.#authorities = authorities;
  }

  isAllowed(host: string, port: number): boolean {
    const name = host.toLowerCase();
    if (this.#allowed.has(withPort(name, port))) return true;
    return (
      port === 443 && this.#suffixes.some((suffix) => name.endsWith(suffix) && name.length > suffix.length)
    );
  }

  connect(host: string, port: number, signal: AbortSignal): Promise<Duplex> {
    if (!this.isAllowed(host, port)) {
      const what = withPort(host, port);
      return Promise.reject(new NotListed(`${what} is not among the registries of this Berth`));
    }
    return new Promise((resolve, reject) => {
      const socket = net.connect({ host, port, noDelay: true });
      const fail = (reason: string) => {
        socket.destroy();
        reject(new Unreachable(`dial tcp ${withPort(host, port)}: ${reason}`));
      };
      const onAbort = () => fail('canceled');
      const timer = setTimeout(() => fail('i/o timeout'), CONNECT_TIMEOUT);
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      };
      socket.once('connect', () => {
        settle();
        resolve(socket);
      });
      socket.once('error', (error) => {
        settle();
        fail(reasonOf(error));
      });
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  authorities(hostAndPort: string): Promise<string> {
    return isSafeName(hostAndPort) ? this.#authorities(hostAndPort) : Promise.resolve('');
  }
}

/** Docker's host:port, with brackets around IPv6 addresses. */
export function withPort(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** May be a part of a path: no slash, not hidden. */
function isSafeName(hostAndPort: string): boolean {
  return /^[a-zA-Z0-9[][a-zA-Z0-9.:\]-]{0,255}$/.test(hostAndPort) && !hostAndPort.includes('..');
}

const REASONS: readonly [RegExp, string][] = [
  [/ECONNREFUSED|connection refused/i, 'connect: connection refused'],
  [/ENETUNREACH|network is unreachable/i, 'connect: network is unreachable'],
  [/EHOSTUNREACH|no route to host/i, 'connect: no route to host'],
  [/ETIMEDOUT|timed out|does not answer/i, 'i/o timeout'],
  [/ENOTFOUND|EAI_AGAIN/i, 'no such host'],
];

function reasonOf(error: unknown): string {
  const text =
    error instanceof Error ? `${'code' in error ? String(error.code) : ''} ${error.message}` : String(error);
  return REASONS.find(([pattern]) => pattern.test(text))?.[1] ?? text.trim();
}

/** Whether this is an address of the sandbox itself, where Docker accepts registries without TLS. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

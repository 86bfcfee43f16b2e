// docker login: whether a registry takes an account. Nothing is kept; the client stores what it wants.

import { InvalidParameter } from '../errors.ts';
import type { Credentials } from '../registry/credentials.ts';
import type { Registries } from '../registry/registries.ts';
import type { InitApi } from '../sandbox/init-types.ts';
import { parseReference } from './reference.ts';

/** The registry that a client's `serveraddress` means: a host, an address, or Docker Hub's old address. */
export function registryOf(address: string): string {
  const host = address.replace(/^https?:\/\//, '').split('/')[0] ?? '';
  if (host === '' || host === 'index.docker.io' || host === 'registry-1.docker.io') return 'docker.io';
  try {
    return parseReference(`${host}/x`).domain;
  } catch (error) {
    throw new InvalidParameter(`invalid registry address: ${host.slice(0, 200)}`, { cause: error });
  }
}

/** POST /auth. Throws Unauthorized, and Unreachable. */
export async function logIn(
  init: InitApi,
  registries: Registries,
  credentials: Credentials,
  signal: AbortSignal,
): Promise<{ IdentityToken: string; Status: string }> {
  const domain = registryOf(credentials.serveraddress);
  const { repository } = await registries.open(
    init,
    { domain, path: '' },
    { credentials, writes: true, signal },
  );
  await repository.authenticate(signal);
  return { IdentityToken: '', Status: 'Login Succeeded' };
}

// The client of a classic build: it has sent an archive and its credentials, and can be asked for nothing else.

import type { Credentials } from '../../registry/credentials.ts';
import type { BuildClient, ContextRequest, ContextSnapshot } from '../context.ts';
import type { ArchiveContext } from '../contexts/archive-context.ts';

/** @param accounts by the registry's name, of X-Registry-Config */
export function classicClient(
  archive: ArchiveContext,
  accounts: ReadonlyMap<string, Credentials>,
): BuildClient {
  return {
    fetchContext: (request: ContextRequest): Promise<ContextSnapshot> => archive.snapshot(request),
    readFile: (_, path, limit) => archive.readFile(path, limit),
    secret: async () => undefined,
    credentials: async (host) => {
      const names = host === 'docker.io' ? ['https://index.docker.io/v1/', host] : [host, `https://${host}`];
      const found = names.map((name) => accounts.get(name)).find((each) => each !== undefined);
      return found && { username: found.username, secret: found.password };
    },
    ssh: async () => undefined,
  };
}

// A context that the client sends as one archive on its standard input; everything else comes from its session.

import type { BuildClient, ContextRequest, ContextSnapshot } from '../context.ts';
import { ArchiveContext } from '../contexts/archive-context.ts';
import type { ContextStore } from '../contexts/store.ts';
import { pullUpload, type SessionClient } from './client.ts';
import type { Session } from './sessions.ts';

/** `docker build - < archive.tar`. */
export class UploadClient implements BuildClient {
  readonly #own: SessionClient;
  readonly #name: string;
  readonly #archive: ArchiveContext;

  constructor(
    own: SessionClient,
    session: (signal: AbortSignal) => Promise<Session>,
    store: ContextStore,
    upload: { id: string; name: string },
    signal: AbortSignal,
  ) {
    this.#own = own;
    this.#name = upload.name;
    const open = async function* () {
      yield* pullUpload(await session(signal), upload.id, signal);
    };
    this.#archive = new ArchiveContext(store, upload.name, open(), signal);
  }

  fetchContext(request: ContextRequest): Promise<ContextSnapshot> {
    return request.name === this.#name ? this.#archive.snapshot(request) : this.#own.fetchContext(request);
  }

  readFile(contextName: string, path: string, limit: number): Promise<Buffer | undefined> {
    return contextName === this.#name
      ? this.#archive.readFile(path, limit)
      : this.#own.readFile(contextName, path, limit);
  }

  secret(id: string, signal: AbortSignal): Promise<Buffer | undefined> {
    return this.#own.secret(id, signal);
  }

  credentials(host: string, signal: AbortSignal): Promise<{ username: string; secret: string } | undefined> {
    return this.#own.credentials(host, signal);
  }

  ssh(id: string, signal: AbortSignal): Promise<NodeJS.ReadWriteStream | undefined> {
    return this.#own.ssh(id, signal);
  }

  /** Ends the use of the archive's files. */
  dispose(): Promise<void> {
    return this.#archive.dispose();
  }
}

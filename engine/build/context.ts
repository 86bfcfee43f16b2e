// Where a build's local files come from: each front door brings them into the sandbox in its own way.

import type { PartStatus } from './progress.ts';

/** A file of a context, as it came by; nothing here is looked up in the sandbox again. */
export interface ContextEntry {
  /** relative, with `/`, no `.` or `..` component, no slash at its ends */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'fifo' | 'device';
  /** permission bits with setuid, setgid and sticky: 0o7777 */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** bytes of a file */
  readonly size: number;
  /** of a symbolic link */
  readonly target: string;
  /** `sha256:…` of a file's content, made by the engine from the bytes that streamed by */
  readonly digest: string;
}

/** Local files that are now in the sandbox. */
export interface ContextSnapshot {
  /** absolute, in the sandbox; owned by the build until it is released */
  readonly directory: string;
  /** in the order of a walk: by path, component by component, parents first */
  readonly entries: readonly ContextEntry[];
  /** ends the use; the front may keep the files for the next build's transfer */
  release(): Promise<void>;
}

export interface ContextRequest {
  /** `context`, `dockerfile`, or a name of the client's */
  name: string;
  /** as in LocalSource; a front may send more than is asked for, never less */
  includePatterns: readonly string[];
  excludePatterns: readonly string[];
  onProgress(part: Omit<PartStatus, 'vertex'>): void;
  signal: AbortSignal;
}

/** What the client of one build can be asked for. Secrets and keys never reach logs, records or layers. */
export interface BuildClient {
  /** Throws InvalidParameter for a name that the client does not have. */
  fetchContext(request: ContextRequest): Promise<ContextSnapshot>;
  /** One small file of a context (Dockerfile, .dockerignore), at most `limit` bytes; undefined when it is not there. */
  readFile(contextName: string, path: string, limit: number): Promise<Buffer | undefined>;
  /** undefined when the client has none of that id */
  secret(id: string, signal: AbortSignal): Promise<Buffer | undefined>;
  /** What the client would log in with at a registry; undefined where it has nothing for that host. */
  credentials(host: string, signal: AbortSignal): Promise<{ username: string; secret: string } | undefined>;
  /** Opens one connection to the client's ssh agent; undefined when it forwards none of that id. */
  ssh(id: string, signal: AbortSignal): Promise<NodeJS.ReadWriteStream | undefined>;
}

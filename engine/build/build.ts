// A build as its fronts ask for it, and what comes of it.

import type { BuildClient } from './context.ts';
import type { ProgressListener } from './progress.ts';

/** What is to be built: the options of `docker build` that reach the daemon. */
export interface BuildRequest {
  /** names the build in records and for cancelling; unique */
  id: string;
  client: BuildClient;
  /** the context's name, and where the Dockerfile is in which of them */
  contextName: string;
  dockerfile: { contextName: string; path: string };
  /** --target; '' is the last stage */
  target: string;
  buildArgs: ReadonlyMap<string, string>;
  labels: ReadonlyMap<string, string>;
  /** --build-context: `docker-image://…` and the like, or the name of a local one at the client */
  namedContexts: ReadonlyMap<string, { kind: 'image'; reference: string } | { kind: 'local'; name: string }>;
  /** true: nothing; a list: the stages of --no-cache-filter */
  noCache: boolean | readonly string[];
  /** --pull: ask the registry even when the image is there */
  pulls: boolean;
  /** `os/architecture`; '' is this machine's */
  platform: string;
  network: 'default' | 'none' | 'host';
  /** RUN --network=host and --security=insecure need one each (`docker build --allow`); `network` host brings its own */
  entitlements?: readonly ('network.host' | 'security.insecure')[];
  /** `name:address` */
  extraHosts: readonly string[];
  /** bytes; 0 is the default */
  shmSize: number;
  ulimits: readonly { name: string; soft: number; hard: number }[];
  cgroupParent: string;
  /** SOURCE_DATE_EPOCH, seconds */
  sourceDateEpoch: number | undefined;
  output: BuildOutput;
  onProgress: ProgressListener;
  signal: AbortSignal;
}

/** Where the result goes. */
export type BuildOutput =
  /** the image store, under full references */
  | { type: 'image'; references: readonly string[] }
  /** nowhere: the cache only */
  | { type: 'none' }
  /** files of the result's root, as one tar */
  | { type: 'files'; write(tar: AsyncIterable<Buffer>): Promise<void> }
  /** an image as a Docker or OCI archive */
  | {
      type: 'archive';
      layout: 'docker' | 'oci';
      references: readonly string[];
      write(tar: AsyncIterable<Buffer>): Promise<void>;
    };

export interface BuildResult {
  /** of the image, for outputs that make one */
  imageId: string | undefined;
  manifestDigest: string | undefined;
}

/** Errors carry, where known, the place in the Dockerfile; fronts print it with the lines around it, as BuildKit does. */
export interface Builder {
  build(request: BuildRequest): Promise<BuildResult>;
  /** `docker build --check`: the findings only, as `warning` events; a BuildError for what stops the reading */
  check(request: BuildRequest): Promise<void>;
  /** records of the cache: `docker buildx du`, `docker system df` */
  usage(): Promise<readonly CacheRecord[]>;
  /** removes cache records that are not in use; bytes freed and what they were */
  prune(options: PruneOptions): Promise<readonly CacheRecord[]>;
}

export interface PruneOptions {
  all: boolean;
  /** keep at least this many bytes; 0: none */
  keepBytes: number;
  /** only those not used for this many milliseconds */
  unusedForMs: number;
  /** Docker's filters of `builder prune`, by name */
  filters: ReadonlyMap<string, readonly string[]>;
}

/** One record of the build cache, as API 1.47 describes it (BuildCache). */
export interface CacheRecord {
  id: string;
  parents: readonly string[];
  type: 'internal' | 'frontend' | 'source.local' | 'source.git.checkout' | 'exec.cachemount' | 'regular';
  description: string;
  isInUse: boolean;
  isShared: boolean;
  /** bytes */
  size: number;
  /** RFC 3339 */
  createdAt: string;
  lastUsedAt: string | undefined;
  usageCount: number;
}

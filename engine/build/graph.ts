// A build as a graph of operations, each known by a digest of what it does and of what it is done to (LLB's idea, BuildKit's solver/pb).

import type { OciImageConfig } from '../image/oci-image.ts';

/** One step of a build. Two with the same digest are the same step, whichever stage or build they come from. */
export interface Vertex {
  /** `sha256:…` of the operation and the digests of its inputs; names and source positions are not part of it */
  readonly digest: string;
  /** what progress shows: `[build 2/5] RUN make` */
  readonly name: string;
  readonly operation: Operation;
  /** what it is done to; an operation refers to them by index */
  readonly inputs: readonly Vertex[];
  /** done anew even when a result is known (--no-cache, --no-cache-filter) */
  readonly ignoresCache: boolean;
  /** where in the Dockerfile it was asked for, for error messages; undefined for what nobody wrote */
  readonly source?: SourceRange;
}

/** A Dockerfile as it was read: fronts show lines of it beside errors and warnings. */
export interface SourceFile {
  readonly name: string;
  readonly data: Buffer;
}

/** Lines of a Dockerfile, from 1, both included. */
export interface SourceRange {
  readonly file: SourceFile;
  readonly firstLine: number;
  readonly lastLine: number;
}

/** What a step does. Each yields one file system. */
export type Operation = ImageSource | LocalSource | HttpSource | ExecOperation | FileOperation;

/** The file system of an image. */
export interface ImageSource {
  readonly kind: 'image';
  /** in full, with tag or digest: docker.io/library/debian:trixie */
  readonly reference: string;
  readonly imageId: string;
}

/** Files of the client: the build context, a named one, or the folder of the Dockerfile. */
export interface LocalSource {
  readonly kind: 'local';
  /** `context`, `dockerfile`, or what the client calls it */
  readonly name: string;
  /** names of files that will be needed; empty is all. They may be patterns of COPY. */
  readonly includePatterns: readonly string[];
  /** patterns of .dockerignore, in its syntax and order */
  readonly excludePatterns: readonly string[];
}

/** A file from the network (ADD https://…). */
export interface HttpSource {
  readonly kind: 'http';
  readonly url: string;
  /** `sha256:…`, checked before the file is used */
  readonly checksum?: string;
  readonly filename: string;
}

/** RUN: a process in the file system of input `root`; the result is that file system as the process left it. */
export interface ExecOperation {
  readonly kind: 'exec';
  /** undefined: an empty file system */
  readonly root: number | undefined;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  /** as in USER: name or id, optionally with a group; '' is root */
  readonly user: string;
  readonly mounts: readonly ExecMount[];
  readonly network: 'default' | 'none' | 'host';
  /** `name:address`, for /etc/hosts */
  readonly extraHosts: readonly string[];
  /** variables that a proxy needs: given to the process, not part of the digest */
  readonly proxyEnv: readonly string[];
}

/** RUN --mount. */
export type ExecMount =
  | {
      readonly type: 'bind';
      readonly target: string;
      /** the input; undefined: an empty one */
      readonly from: number | undefined;
      readonly source: string;
      readonly readonly: boolean;
    }
  | {
      readonly type: 'cache';
      readonly target: string;
      readonly id: string;
      readonly sharing: 'shared' | 'private' | 'locked';
      readonly from: number | undefined;
      readonly source: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
      readonly readonly: boolean;
    }
  | { readonly type: 'tmpfs'; readonly target: string /** bytes; 0: no limit */; readonly size: number }
  | {
      readonly type: 'secret';
      /** undefined: as a variable only */
      readonly target: string | undefined;
      /** name of the variable that holds it */
      readonly env: string | undefined;
      readonly id: string;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      readonly type: 'ssh';
      readonly target: string;
      readonly id: string;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

/** COPY, ADD, WORKDIR and heredocs: changes to the file system of input `root`, one after the other. */
export interface FileOperation {
  readonly kind: 'file';
  /** undefined: an empty file system */
  readonly root: number | undefined;
  readonly actions: readonly FileAction[];
  /** COPY --link: the result is a layer that does not depend on what is below it */
  readonly isLinked: boolean;
}

export type FileAction =
  | {
      readonly type: 'copy';
      /** the input that is copied from */
      readonly from: number;
      /** path in it; the last component may be a pattern (Go's filepath.Match) where allowsWildcard */
      readonly source: string;
      /** absolute; with a slash at its end it is a directory */
      readonly destination: string;
      /** of a directory its content is copied, not the directory (COPY) */
      readonly copiesDirectoryContents: boolean;
      readonly followsSymlinks: boolean;
      readonly allowsWildcard: boolean;
      /** no match of a pattern is no error */
      readonly allowsEmptyWildcard: boolean;
      /** archives are unpacked (ADD) */
      readonly unpacks: boolean;
      /** COPY --parents: the path from the pivot point on is kept */
      readonly keepsParents: boolean;
      readonly excludePatterns: readonly string[];
      readonly owner: Owner | undefined;
      /** permission bits, or as in chmod(1): `u=rwX,go=rX` */
      readonly mode: number | string | undefined;
    }
  | {
      readonly type: 'makeFile';
      readonly path: string;
      readonly content: string;
      readonly mode: number | string;
      readonly owner: Owner | undefined;
    }
  | {
      readonly type: 'makeDirectory';
      readonly path: string;
      readonly mode: number;
      readonly owner: Owner | undefined;
    };

/** As in --chown: names are looked up in the /etc/passwd and /etc/group of the file system that is changed. */
export interface Owner {
  readonly user: string;
  readonly group: string | undefined;
}

/** What a front end makes of a build's input: the graph's end, and the image's configuration without its layers. */
export interface BuildPlan {
  /** undefined: an image without layers (FROM scratch with nothing but configuration) */
  readonly root: Vertex | undefined;
  /** config, architecture, os; rootfs, history's diff ids and created are the exporter's */
  readonly image: Omit<OciImageConfig, 'rootfs' | 'history'>;
  /** oldest first: the base image's, then one for each instruction */
  readonly history: readonly PlannedHistory[];
}

/** An entry of the image's history. */
export interface PlannedHistory {
  readonly createdBy: string;
  readonly comment: string;
  readonly isEmptyLayer: boolean;
  /** the base image's entries have a time of their own; others get the time of the build */
  readonly created?: string;
  readonly author?: string;
  /** the step that made its layer; undefined for the base image's entries */
  readonly vertex?: Vertex;
}

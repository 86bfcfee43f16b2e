// What a log driver is: which options it takes, and how the output of a container is written by them.

import type { ContainerRecord } from '../container/record.ts';

/** How berth-init writes a log. Paths are the sandbox's. */
export interface LogPlan {
  path: string;
  /** made before the start; the container's own directory is there */
  directory?: string;
  rotation?: LogRotation;
  /** JSON object that every line carries as `attrs` */
  attrs?: string;
}

export interface LogRotation {
  /** bytes after which a file is full */
  size: number;
  /** with the one that is written */
  files: number;
  compresses: boolean;
}

export type LogOptions = Readonly<Record<string, string>>;

/** One `--log-driver`. */
export interface LogDriver {
  /** Checks the names of options, as Docker does when a container is made. Throws InvalidParameter. */
  validate(options: LogOptions): void;
  /** Reads the options, as Docker does when a container starts. Undefined: nothing is written. Throws InvalidParameter. */
  plan(record: ContainerRecord): LogPlan | undefined;
  /** Where the log is, for reading; the same path as the plan's. Undefined: it cannot be read. */
  path(id: string): string | undefined;
}

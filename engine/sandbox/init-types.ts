// What the engine can ask of berth-init, as data (the wire form is engine/init/PROTOCOL.md).

import type net from 'node:net';
import type { Readable } from 'node:stream';

/** One step of a START, run in order in a forked child of berth-init. Paths are the sandbox's. */
export type Step =
  | { kind: 'mkdir'; path: string; mode?: number; uid?: number; gid?: number }
  | { kind: 'write'; path: string; data: string | Uint8Array; mode?: number; plain?: boolean }
  | { kind: 'symlink'; target: string; path: string }
  | { kind: 'mount'; source: string; path: string; fstype: string; flags?: number; data?: string }
  | { kind: 'umount'; path: string }
  | { kind: 'rmtree'; path: string }
  | { kind: 'rmcgroup'; path: string }
  | { kind: 'netns'; path: string }
  | { kind: 'netnsRemove'; path: string }
  | { kind: 'chdir'; path: string }
  | {
      kind: 'exec';
      argv: readonly string[];
      env?: readonly string[];
      stdin?: string | Uint8Array;
      netns?: string;
      /** milliseconds, default 30 s */
      timeout?: number;
    };

/** The process that a START leaves running. */
export interface ProcessSpec {
  /** the engine's name for it: `container.<id>`, `exec.<id>`, `terminal.<id>`, `run.<id>` */
  key: string;
  terminal?: boolean;
  openStdin?: boolean;
  stdinOnce?: boolean;
  /** read and drop output that nobody is attached to */
  discard?: boolean;
  /** take over the pid that the last exec step wrote here (crun --detach --pid-file) */
  adopt?: { pidFile: string; consoleSocket?: string };
  /** when not adopting */
  argv?: readonly string[];
  env?: readonly string[];
  cwd?: string;
  uid?: number;
  gid?: number;
  groups?: readonly number[];
  rows?: number;
  cols?: number;
  /** json-file log */
  log?: string;
  /** begin a new file after so many bytes, keep so many files, and compress the older ones */
  logRotation?: { size: number; files: number; compresses: boolean };
  /** a JSON object that every line of the log has as `attrs` */
  logAttrs?: string;
  /** bytes kept for replay */
  ring?: number;
  /** memory cgroup directory, read for OOM kills */
  cgroup?: string;
}

/** A process as berth-init reports it (PROCESS and EXIT events). */
export interface ProcessState {
  key: string;
  pid: number;
  state: 'running' | 'ended';
  /** 0–255; 128+N when killed by signal N */
  status: number;
  /** nanoseconds since the epoch */
  started: bigint;
  finished: bigint;
  oomKilled: boolean;
}

/** A failed START: which step, and what it or its program said. */
export class StartFailed extends Error {
  constructor(
    /** index of the failing step, or -1 for the process itself */
    readonly step: number,
    /** errno(3) number */
    readonly errno: number,
    /** the program's exit code, or -1 */
    readonly exitCode: number,
    /** the program's standard error, or the step's own message */
    readonly text: string,
  ) {
    super(text || `step ${step} failed with errno ${errno}`);
    this.name = 'StartFailed';
  }
}

/** A live connection to a process's stdio. */
export interface Attachment {
  /** resolves false when the caller should wait for `drain` (Writable's contract); end() sends end of file */
  readonly stdin: {
    write(chunk: Uint8Array): boolean;
    end(): void;
    once(event: 'drain', listener: () => void): void;
  };
  /** Chunks in order of arrival; iterate or pipe. Not reading it stops the program (back-pressure). Ends when the process ended and its output is drained. */
  readonly output: AsyncIterable<{ stream: 'stdout' | 'stderr'; data: Buffer }>;
  /** detaches; the process goes on */
  close(): void;
}

export interface AttachOptions {
  stdin?: boolean;
  stdout?: boolean;
  stderr?: boolean;
  replay?: boolean;
  stdinOnce?: boolean;
}

/** A regular file's content as it is being read, and what stat(2) said when it was opened. */
export interface FileStream {
  size: number;
  mode: number;
  uid: number;
  gid: number;
  /** nanoseconds since the epoch */
  mtime: bigint;
  inode: bigint;
  body: Readable;
}

/** A question to the name server of a network namespace. */
export interface DnsQuery {
  netns: string;
  /** berth-init's number of it */
  query: number;
  /** the DNS message, as hostile as any */
  message: Buffer;
}

/** The way to a sandbox's PID 1. Every call rejects with Unavailable when it cannot be reached, and InvalidParameter when it answers nonsense. */
export interface InitApi {
  /** runs steps, and leaves `process` running when given; rejects with StartFailed */
  start(steps: readonly Step[], process?: ProcessSpec): Promise<{ pid: number }>;
  /** makes a process known, with its pipes, so that clients can attach before it starts */
  reserve(process: ProcessSpec): Promise<void>;
  /** NotFound when the process is not known or has ended */
  signal(key: string, signal: number, options?: { group?: boolean }): Promise<void>;
  resize(key: string, rows: number, cols: number): Promise<void>;
  attach(key: string, options: AttachOptions): Promise<Attachment>;
  /** rejects with NotFound when there is no such file */
  readFile(
    path: string,
    options?: { offset?: number; tailLines?: number; limit?: number; follow?: string },
  ): Promise<FileStream>;
  /** a TCP connection made inside the sandbox (or one of its network namespaces); allowHalfOpen */
  dial(address: string, port: number, options?: { netns?: string; timeout?: number }): Promise<net.Socket>;
  /** answers 127.0.0.11:53 in a network namespace with what `onDnsQuery`'s listeners say, until the namespace is removed */
  listenDns(netns: string): Promise<void>;
  /** a listener that is called for each question; answers are whole DNS messages */
  onDnsQuery(listener: (query: DnsQuery) => void): () => void;
  answerDns(query: number, message: Uint8Array): void;
  forget(key: string): Promise<void>;
  /** the processes berth-init knows, as last reported */
  process(key: string): ProcessState | undefined;
  processes(): ProcessState[];
  /** resolves when the process has ended and its output is flushed (at once when it has) */
  waitExit(key: string, signal?: AbortSignal): Promise<ProcessState>;
  /** every EXIT event; returns the unsubscribe function */
  onExit(listener: (process: ProcessState) => void): () => void;
}

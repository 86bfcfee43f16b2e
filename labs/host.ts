// The narrow view of a lab host (a sandbox) that checks and runs need, so that they can be tried on any machine with Docker.

import type { Duplex } from 'node:stream';
import type { Activity, ProcessInfo, RunRequest, RunResult } from '../engine/client/types.ts';

/** One lab host. Every call rejects when the engine cannot be reached or `signal` is aborted. */
export interface LabHost {
  /** GET of the Docker Engine API of this lab host; `path` starts with `/containers`, `/images` … and has no version */
  dockerGet(path: string, signal: AbortSignal): Promise<{ status: number; body: unknown }>;
  /** runs a program in the lab host to its end */
  run(request: RunRequest, signal: AbortSignal): Promise<RunResult>;
  /** every process of the lab host, its containers' too */
  processes(signal: AbortSignal): Promise<ProcessInfo[]>;
  /** a TCP connection made inside the lab host */
  dial(port: number, address: string, signal: AbortSignal): Promise<Duplex>;
  /** writes a file in the lab host, making its folders; replaces what is there */
  writeFile(path: string, content: string, mode: number, signal: AbortSignal): Promise<void>;
  /** what happens in the lab host, from now on; ends when the lab host goes away */
  activity(signal: AbortSignal): AsyncIterable<Activity>;
}

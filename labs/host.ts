// The narrow view of a lab host (a sandbox) that checks and runs need, and the engine's client seen through it.

import type { Duplex } from 'node:stream';
import type { ControlClient } from '../engine/client/client.ts';
import { ControlError } from '../engine/client/http.ts';
import type { Activity, ProcessInfo, RunRequest, RunResult } from '../engine/client/types.ts';

/** One lab host. Every call rejects when the engine cannot be reached or `signal` is aborted. */
export interface LabHost {
  /** GET of the Docker Engine API of this lab host; `path` starts with `/containers`, `/images` … and has no version */
  dockerGet(path: string, signal: AbortSignal): Promise<{ status: number; body: unknown }>;
  /** runs a program in the lab host to its end */
  run(request: RunRequest, signal: AbortSignal): Promise<RunResult>;
  /** every process of the lab host, its containers' too */
  processes(signal: AbortSignal): Promise<ProcessInfo[]>;
  /** a TCP connection made inside the lab host; rejects with ConnectionRefused when nothing takes it there */
  dial(port: number, address: string, signal: AbortSignal): Promise<Duplex>;
  /** writes a file in the lab host, making its folders; replaces what is there */
  writeFile(path: string, content: string, mode: number, signal: AbortSignal): Promise<void>;
  /** what happens in the lab host, from now on; ends when the lab host goes away */
  activity(signal: AbortSignal): AsyncIterable<Activity>;
}

/** The lab host is there and answers, but no program takes the connection. */
export class ConnectionRefused extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConnectionRefused';
  }
}

/** The engine's answer when PID 1 of the lab host tried to connect and failed. */
const BAD_GATEWAY = 502;

/** The sandbox of that name as a lab host. */
export function labHostOf(engine: ControlClient, sandbox: string): LabHost {
  return {
    dockerGet: (path, signal) => engine.docker(sandbox, 'GET', path, undefined, signal),
    run: (request, signal) => engine.run(sandbox, request, signal),
    processes: (signal) => withSignal(engine.processes(sandbox), signal),
    dial: async (port, address, signal) => {
      try {
        return await engine.dial(sandbox, port, { address, signal });
      } catch (error) {
        if (error instanceof ControlError && error.status === BAD_GATEWAY) {
          throw new ConnectionRefused(error.message, { cause: error });
        }
        throw error;
      }
    },
    writeFile: (path, content, mode, signal) =>
      withSignal(engine.writeFile(sandbox, path, content, { mode }), signal),
    activity: (signal) => engine.activity(sandbox, { signal }),
  };
}

/** Stops waiting when the signal aborts; the request itself is short and ends by itself. */
export async function withSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const waiting = new AbortController();
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { signal: waiting.signal });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    waiting.abort();
  }
}

// A lab host for tests: what it answers is given, what happens in it is told by the test.

import { execFile } from 'node:child_process';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { Activity, ProcessInfo, RunRequest, RunResult } from '../../engine/client/types.ts';
import { ConnectionRefused, type LabHost } from '../host.ts';

/** Runs programs on the test's own machine and dials its ports; Docker's answers and processes are set by the test. */
export class FakeHost implements LabHost {
  readonly docker = new Map<string, unknown>();
  readonly files = new Map<string, string>();
  processList: ProcessInfo[] = [];
  isReachable = true;
  dockerCalls = 0;
  private readonly readers = new Set<(activity: Activity | undefined) => void>();

  async dockerGet(path: string): Promise<{ status: number; body: unknown }> {
    this.dockerCalls += 1;
    if (!this.isReachable) throw new Error('the engine cannot be reached');
    if (path === '/containers/json?all=1' && !this.docker.has(path)) {
      return { status: 200, body: this.summaries() };
    }
    const body = this.docker.get(path);
    return body === undefined ? { status: 404, body: { message: 'no such object' } } : { status: 200, body };
  }

  run({ argv, env = {}, timeout = 10_000 }: RunRequest): Promise<RunResult> {
    const [command = '', ...args] = argv;
    return new Promise((resolve) => {
      execFile(
        command,
        args,
        { timeout, maxBuffer: 4 * 2 ** 20, env: { ...process.env, ...env } },
        (error, stdout, stderr) => {
          const exitCode = typeof error?.code === 'number' ? error.code : error ? 137 : 0;
          resolve({ exitCode, stdout, stderr, truncated: false, timedOut: error?.killed ?? false });
        },
      );
    });
  }

  async processes(): Promise<ProcessInfo[]> {
    return this.processList;
  }

  dial(port: number, address: string): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(port, address, () => resolve(socket));
      socket.once('error', (error) => reject(new ConnectionRefused(error.message)));
    });
  }

  async writeFile(path: string, content: string): Promise<void> {
    this.files.set(path, content);
  }

  async *activity(signal: AbortSignal): AsyncIterable<Activity> {
    const waiting: (Activity | undefined)[] = [];
    let wake = () => {};
    const read = (activity: Activity | undefined) => {
      waiting.push(activity);
      wake();
    };
    const stop = () => read(undefined);
    this.readers.add(read);
    signal.addEventListener('abort', stop);
    try {
      for (;;) {
        const next = waiting.shift();
        if (next) yield next;
        else if (signal.aborted) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      this.readers.delete(read);
      signal.removeEventListener('abort', stop);
    }
  }

  /** Something happens. */
  happen(activity: Activity): void {
    for (const read of this.readers) read(activity);
  }

  /** A Docker event happens. */
  dockerEvent(Type: string, Action: string): void {
    const event = { Type, Action, Actor: { ID: 'x', Attributes: {} }, time: 0, timeNano: 0 };
    this.happen({ kind: 'docker', event });
  }

  /** Makes a container exist, as `docker inspect` would show it. */
  addContainer(name: string, parts: ContainerParts = {}): void {
    const id = Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64);
    const body = {
      Id: id,
      Name: `/${name}`,
      Image: 'sha256:aaaa',
      Path: 'nginx',
      Args: ['-g', 'daemon off;'],
      RestartCount: 0,
      State: { Status: 'running', Pid: 0, ExitCode: 0, ...parts.State },
      Config: {
        Image: 'nginx',
        Hostname: id.slice(0, 12),
        User: '',
        Env: ['A=1'],
        Labels: {},
        ...parts.Config,
      },
      HostConfig: { NetworkMode: 'default', RestartPolicy: { Name: 'no' }, ...parts.HostConfig },
      Mounts: parts.Mounts ?? [],
      NetworkSettings: {
        Ports: {},
        Networks: { bridge: { IPAddress: '127.0.0.1' } },
        ...parts.NetworkSettings,
      },
      GraphDriver: { Name: 'overlay2', Data: parts.layers ?? null },
    };
    this.docker.set(`/containers/${name}/json`, body);
    this.docker.set(`/containers/${id}/json`, body);
    this.names.set(id, { name, state: body.State.Status });
  }

  removeContainer(name: string): void {
    for (const [id, each] of this.names) {
      if (each.name !== name) continue;
      this.names.delete(id);
      this.docker.delete(`/containers/${id}/json`);
      this.docker.delete(`/containers/${name}/json`);
    }
  }

  private readonly names = new Map<string, { name: string; state: string }>();

  private summaries() {
    return [...this.names].map(([Id, { name, state }]) => ({
      Id,
      Names: [`/${name}`],
      Image: 'nginx',
      State: state,
    }));
  }
}

interface ContainerParts {
  State?: Record<string, unknown>;
  Config?: Record<string, unknown>;
  HostConfig?: Record<string, unknown>;
  Mounts?: unknown[];
  NetworkSettings?: Record<string, unknown>;
  layers?: Record<string, string>;
}

/** A process as the engine tells it. */
export function processInfo(parts: Partial<ProcessInfo> & { pid: number }): ProcessInfo {
  return {
    ppid: 1,
    nspid: [parts.pid],
    comm: parts.args?.[0] ?? 'sh',
    args: ['sh'],
    uid: 0,
    state: 'S',
    container: null,
    namespaces: { pid: 1, net: 1, mnt: 1, uts: 1 },
    cgroup: '/',
    ...parts,
  };
}

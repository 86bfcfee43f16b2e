// What containers use, as the kernel's files in the sandbox say: one process of the sandbox reads them for all that are asked about at once.

import { z } from 'zod';
import { SystemError } from '../errors.ts';
import { nowNanos } from '../events/clock.ts';
import type { InitApi } from '../sandbox/init-types.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { runTool } from '../sandbox/tool.ts';
import { cgroupDir } from './cgroup.ts';
import type { ContainerRecord } from './record.ts';

/** Requests that come within this many milliseconds share a process. */
const GATHERING = 5;
const MAX_ANSWER = 16 * 2 ** 20;

/** The content of each file that there was, by its name without a path. */
export type KernelFiles = ReadonlyMap<string, string>;

export interface Sample {
  /** nanoseconds since the epoch */
  time: bigint;
  files: KernelFiles;
}

const V1_FILES: readonly [controller: string, names: readonly string[]][] = [
  ['cpuacct', ['cpuacct.usage', 'cpuacct.usage_percpu', 'cpuacct.stat']],
  ['cpu', ['cpu.stat']],
  [
    'memory',
    [
      'memory.usage_in_bytes',
      'memory.max_usage_in_bytes',
      'memory.limit_in_bytes',
      'memory.failcnt',
      'memory.stat',
    ],
  ],
  ['pids', ['pids.current', 'pids.max']],
  ['blkio', ['blkio.throttle.io_service_bytes_recursive', 'blkio.throttle.io_serviced_recursive']],
];
const V2_FILES = [
  'cpu.stat',
  'memory.current',
  'memory.peak',
  'memory.max',
  'memory.stat',
  'pids.current',
  'pids.max',
  'io.stat',
];

interface Request {
  record: ContainerRecord;
  resolve(sample: Sample): void;
  reject(error: unknown): void;
}

/** Reads the usage of one sandbox's containers. */
export class UsageReader {
  #gathered: Request[] = [];

  constructor(private readonly sandbox: Sandbox) {}

  /** Of a container that runs. One that ended meanwhile has no files. */
  read(record: ContainerRecord): Promise<Sample> {
    return new Promise((resolve, reject) => {
      this.#gathered.push({ record, resolve, reject });
      if (this.#gathered.length === 1) setTimeout(() => this.#flush(), GATHERING);
    });
  }

  #flush(): void {
    const requests = this.#gathered;
    this.#gathered = [];
    this.#readAll(requests).catch((error: unknown) => {
      for (const { reject } of requests) reject(error);
    });
  }

  async #readAll(requests: readonly Request[]): Promise<void> {
    const paths = requests.map(({ record }) => filesOf(this.sandbox, record));
    const contents = await readFiles(this.sandbox.init, ['/proc/stat', ...paths.flat()]);
    const time = nowNanos();
    let at = 1;
    for (const [index, { resolve }] of requests.entries()) {
      const files = new Map<string, string>();
      const system = contents[0];
      if (system !== undefined) files.set('stat', system);
      for (const path of paths[index] ?? []) {
        const content = contents[at++];
        if (content !== undefined) files.set(path.endsWith('/net/dev') ? 'net/dev' : baseName(path), content);
      }
      resolve({ time, files });
    }
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function filesOf(sandbox: Sandbox, { id, state, hostConfig }: ContainerRecord): string[] {
  const parent = hostConfig.CgroupParent;
  const cgroup =
    sandbox.cgroupVersion === 2
      ? V2_FILES.map((name) => `${cgroupDir(sandbox, id, '', parent)}/${name}`)
      : V1_FILES.flatMap(([controller, names]) =>
          names.map((name) => `${cgroupDir(sandbox, id, controller, parent)}/${name}`),
        );
  return hostConfig.NetworkMode === 'host' ? cgroup : [...cgroup, `/proc/${state.pid}/net/dev`];
}

const Length = z.string().regex(/^(-1|\d{1,5})$/);

/** The files in their order; undefined for what cannot be read. */
async function readFiles(init: InitApi, paths: readonly string[]): Promise<(string | undefined)[]> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of runTool(init, { name: 'read', args: paths })) {
    size += chunk.length;
    if (size > MAX_ANSWER) throw new SystemError('the sandbox answered too much about its files');
    chunks.push(chunk);
  }
  const answer = Buffer.concat(chunks);
  const contents: (string | undefined)[] = [];
  for (let at = 0; at < answer.length && contents.length < paths.length; ) {
    const end = answer.indexOf(10, at);
    const length = Length.safeParse(answer.toString('latin1', at, Math.max(end, at)));
    if (!length.success) throw new SystemError('the sandbox answered nonsense about its files');
    const bytes = Number(length.data);
    at = end + 1 + Math.max(bytes, 0);
    contents.push(bytes < 0 ? undefined : answer.toString('utf8', end + 1, at));
  }
  return contents;
}

// docker stats: what a container uses, in the shape of the Docker Engine API (ContainerStats).

import { setTimeout as sleep } from 'node:timers/promises';
import { formatNanos, ZERO_TIME } from '../events/clock.ts';
import type { Container } from './container.ts';
import type { ContainerParts } from './parts.ts';
import { isRunning } from './record.ts';
import type { KernelFiles, Sample } from './usage.ts';

type Json = Record<string, unknown>;

const INTERVAL = 1000;
/** nanoseconds of a clock tick (USER_HZ is 100 wherever Linux runs) */
const TICK = 10_000_000;

const NO_CPU = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};
const BLKIO = [
  'io_service_bytes_recursive',
  'io_serviced_recursive',
  'io_queue_recursive',
  'io_service_time_recursive',
  'io_wait_time_recursive',
  'io_merged_recursive',
  'io_time_recursive',
  'sectors_recursive',
];

export interface StatsOptions {
  /** one a second, until the container is removed; else one */
  stream: boolean;
  /** do not wait for a second sample to compare with */
  oneShot: boolean;
  signal: AbortSignal;
}

/** Samples of a container; zeros while it does not run. */
export async function* containerStats(
  parts: ContainerParts,
  container: Container,
  { stream, oneShot, signal }: StatsOptions,
): AsyncGenerator<Json> {
  const { cgroupVersion, limits } = parts.sandbox;
  const host = { isV2: cgroupVersion === 2, memory: limits.memory };
  let before: Sample | undefined;
  // The second of two samples is the first that says something about the processor.
  for (let count = 0; !signal.aborted; count++) {
    if (!parts.containers.byFullId(container.id)) return;
    const sample = isRunning(container.record) ? await parts.usage.read(container.record) : undefined;
    const isWanted = stream || oneShot || count > 0 || !sample;
    if (isWanted) {
      const { id, record } = container;
      yield { name: `/${record.name}`, id, ...describeSample(host, sample, before) };
    }
    if (isWanted && !stream) return;
    before = sample;
    // All streams sample at the same moments, so that one process serves them.
    const wait = stream ? INTERVAL - (Date.now() % INTERVAL) : INTERVAL;
    await sleep(wait, undefined, { signal }).catch(() => undefined);
  }
}

/** One sample as the API shows it, compared with the one before. */
export function describeSample(
  { isV2, memory }: { isV2: boolean; memory: number },
  sample: Sample | undefined,
  before: Sample | undefined,
): Json {
  const files = sample?.files ?? new Map<string, string>();
  const networks = networkStats(files);
  return {
    read: sample ? formatNanos(sample.time) : ZERO_TIME,
    preread: before ? formatNanos(before.time) : ZERO_TIME,
    pids_stats: pidsStats(files),
    blkio_stats: isV2 ? blkioV2(files) : blkioV1(files),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuStats(files, isV2),
    precpu_stats: cpuStats(before?.files ?? new Map(), isV2),
    memory_stats: memoryStats(files, isV2, memory),
    ...(Object.keys(networks).length > 0 ? { networks } : {}),
  };
}

/** A file with one number; undefined for `max` and for what is not there. */
function number(files: KernelFiles, name: string): number | undefined {
  const text = files.get(name)?.trim() ?? '';
  return /^\d{1,20}$/.test(text) ? Number(text) : undefined;
}

/** A file with a name and a number a line. */
function table(files: KernelFiles, name: string): Record<string, number> {
  const lines = (files.get(name) ?? '').split('\n').flatMap((line) => {
    const [, key = '', value = ''] = /^([\w.()]{1,64}) (\d{1,20})$/.exec(line) ?? [];
    return key === '' ? [] : [[key, Number(value)] as const];
  });
  return Object.fromEntries(lines);
}

function pidsStats(files: KernelFiles): Json {
  const current = number(files, 'pids.current');
  const limit = number(files, 'pids.max');
  return { ...(current ? { current } : {}), ...(limit ? { limit } : {}) };
}

function cpuStats(files: KernelFiles, isV2: boolean): Json {
  const system = systemUsage(files.get('stat') ?? '');
  const throttling = table(files, 'cpu.stat');
  const usage = isV2 ? usageV2(throttling) : usageV1(files);
  if (!usage || !system) return NO_CPU;
  return {
    cpu_usage: usage,
    system_cpu_usage: system.nanos,
    online_cpus: system.cpus,
    throttling_data: {
      periods: throttling.nr_periods ?? 0,
      throttled_periods: throttling.nr_throttled ?? 0,
      throttled_time: throttling.throttled_time ?? (throttling.throttled_usec ?? 0) * 1000,
    },
  };
}

function usageV1(files: KernelFiles): Json | undefined {
  const total = number(files, 'cpuacct.usage');
  if (total === undefined) return undefined;
  const { user = 0, system = 0 } = table(files, 'cpuacct.stat');
  const each = (files.get('cpuacct.usage_percpu') ?? '').trim().split(/\s+/);
  return {
    total_usage: total,
    percpu_usage: each.filter((text) => /^\d{1,20}$/.test(text)).map(Number),
    usage_in_kernelmode: system * TICK,
    usage_in_usermode: user * TICK,
  };
}

function usageV2(stat: Record<string, number>): Json | undefined {
  if (stat.usage_usec === undefined) return undefined;
  return {
    total_usage: stat.usage_usec * 1000,
    usage_in_kernelmode: (stat.system_usec ?? 0) * 1000,
    usage_in_usermode: (stat.user_usec ?? 0) * 1000,
  };
}

/** The whole machine's: user to softirq of /proc/stat's first line, as Docker counts it; and how many processors there are. */
function systemUsage(stat: string): { nanos: number; cpus: number } | undefined {
  const ticks = /^cpu +([\d ]+)$/m.exec(stat)?.[1]?.split(' ').slice(0, 7).map(Number);
  if (!ticks) return undefined;
  return {
    nanos: ticks.reduce((sum, each) => sum + each, 0) * TICK,
    cpus: stat.match(/^cpu\d+ /gm)?.length ?? 1,
  };
}

function memoryStats(files: KernelFiles, isV2: boolean, machine: number): Json {
  const usage = number(files, isV2 ? 'memory.current' : 'memory.usage_in_bytes');
  if (usage === undefined) return {};
  const most = number(files, isV2 ? 'memory.peak' : 'memory.max_usage_in_bytes');
  const limit = number(files, isV2 ? 'memory.max' : 'memory.limit_in_bytes') ?? machine;
  const failures = number(files, 'memory.failcnt');
  return {
    usage,
    ...(most !== undefined && !isV2 ? { max_usage: most } : {}),
    stats: table(files, 'memory.stat'),
    ...(failures ? { failcnt: failures } : {}),
    limit: Math.min(limit, machine),
  };
}

interface BlkioEntry {
  major: number;
  minor: number;
  op: string;
  value: number;
}

function blkioV1(files: KernelFiles): Json {
  if (!files.has('blkio.throttle.io_service_bytes_recursive')) return noBlkio(null);
  const entries = (name: string) =>
    (files.get(name) ?? '').split('\n').flatMap((line): BlkioEntry[] => {
      const [, major, minor, op = '', value] = /^(\d+):(\d+) (\w{1,16}) (\d{1,20})$/.exec(line) ?? [];
      return op === '' ? [] : [{ major: Number(major), minor: Number(minor), op, value: Number(value) }];
    });
  return {
    ...noBlkio([]),
    io_service_bytes_recursive: entries('blkio.throttle.io_service_bytes_recursive'),
    io_serviced_recursive: entries('blkio.throttle.io_serviced_recursive'),
  };
}

/** `MAJOR:MINOR rbytes=N wbytes=N rios=N …`, of which Docker gives the bytes */
function blkioV2(files: KernelFiles): Json {
  const lines = (files.get('io.stat') ?? '').split('\n');
  const found = lines.flatMap((line): BlkioEntry[] => {
    const [, major, minor] = /^(\d+):(\d+) /.exec(line) ?? [];
    if (major === undefined) return [];
    return (['read', 'write'] as const).map((op) => ({
      major: Number(major),
      minor: Number(minor),
      op,
      value: Number(new RegExp(` ${op.charAt(0)}bytes=(\\d{1,20})`).exec(line)?.[1] ?? 0),
    }));
  });
  return { ...noBlkio(null), io_service_bytes_recursive: files.has('io.stat') ? found : null };
}

function noBlkio(value: null | readonly never[]): Json {
  return Object.fromEntries(BLKIO.map((name) => [name, value]));
}

/** Columns of /proc/net/dev: eight of what was received, eight of what was sent. */
const RECEIVED = ['rx_bytes', 'rx_packets', 'rx_errors', 'rx_dropped'];
const SENT = ['tx_bytes', 'tx_packets', 'tx_errors', 'tx_dropped'];

/** By interface, without the loopback. */
function networkStats(files: KernelFiles): Record<string, Json> {
  const lines = (files.get('net/dev') ?? '').split('\n').flatMap((line) => {
    const [, name = '', columns = ''] = /^ *([\w.@-]{1,15}): *([\d ]+)$/.exec(line) ?? [];
    if (name === '' || name === 'lo') return [];
    const values = columns.split(/ +/).map(Number);
    const received = RECEIVED.map((key, index) => [key, values[index] ?? 0]);
    const sent = SENT.map((key, index) => [key, values[index + 8] ?? 0]);
    return [[name, Object.fromEntries([...received, ...sent])] as const];
  });
  return Object.fromEntries(lines.sort(([a], [b]) => (a < b ? -1 : 1)));
}

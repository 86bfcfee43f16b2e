// Timing and memory for benchmarks: alternating runs, medians, ratios; memory as the kernel counts it (PSS).

import { readdir, readFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';

/** Milliseconds of each run of `a` and of `b`, in turn (a b a b …) so that drift of the machine meets both. */
export async function inTurn(
  runs: number,
  a: () => Promise<unknown>,
  b?: () => Promise<unknown>,
): Promise<{ a: number[]; b: number[] }> {
  const times = { a: [] as number[], b: [] as number[] };
  for (let run = -1; run < runs; run++) {
    for (const [name, job] of [
      ['a', a],
      ['b', b],
    ] as const) {
      if (!job) continue;
      const before = performance.now();
      await job();
      // The first pair warms caches and is not counted.
      if (run >= 0) times[name].push(performance.now() - before);
    }
  }
  return times;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/** Proportional set size of the processes, in bytes (proc_pid_smaps_rollup; needs root for others' processes). */
export async function pss(pids: readonly number[]): Promise<number> {
  let total = 0;
  for (const pid of pids) {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    total += 1024 * Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0);
  }
  return total;
}

/** Pids whose command name (proc_pid_comm) is one of these. */
export async function pidsByName(...names: string[]): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const comm = await readFile(`/proc/${entry}/comm`, 'utf8').catch(() => '');
    if (names.includes(comm.trim())) found.push(Number(entry));
  }
  return found;
}

/** MemFree + page cache that can go: what the whole machine has left, in bytes. */
export async function memoryAvailable(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8');
  return 1024 * Number(/^MemAvailable:\s+(\d+)/m.exec(text)?.[1] ?? 0);
}

/** One line of the result table. */
export interface Row {
  what: string;
  unit: string;
  berth: number;
  dockerd?: number;
  aim: string;
}

/** Prints the rows as a markdown table. */
export function printTable(rows: readonly Row[]): void {
  const number = (value: number | undefined) =>
    value === undefined ? '–' : value >= 100 ? value.toFixed(0) : value.toFixed(2);
  console.log('| what | Berth | dockerd | ratio | aim |');
  console.log('|---|---|---|---|---|');
  for (const row of rows) {
    const ratio = row.dockerd === undefined ? '–' : (row.berth / row.dockerd).toFixed(2);
    console.log(
      `| ${row.what} | ${number(row.berth)} ${row.unit} | ${number(row.dockerd)} ${row.dockerd === undefined ? '' : row.unit} | ${ratio} | ${row.aim} |`,
    );
  }
}

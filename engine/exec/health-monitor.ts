// Probes the containers of one sandbox that have a health check, while they run, and records what their health is.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Container } from '../container/container.ts';
import { type HealthWatch, healthAfter, nextProbeIn, type Probe, probeOf } from '../container/health.ts';
import { newId } from '../container/id.ts';
import { SIGKILL } from '../container/kill.ts';
import type { Health, ProbeResult } from '../container/record.ts';
import { nowNanos, parseRfc3339 } from '../events/clock.ts';
import type { OciProcess } from '../runtime/oci.ts';
import type { ProcessState } from '../sandbox/init-types.ts';
import { type ProbeParts, probeKey, runProbe } from './probe.ts';
import { execProcess } from './start.ts';
import type { ExecConfig } from './store.ts';

/** Probes that are being started at a time; those that run are not counted. */
const STARTS = 4;
const LONGEST_TIMER = 2 ** 31 - 1;

/** A container that is probed from its start, or unpausing, to its end or pausing. */
interface Watched {
  container: Container;
  probe: Probe;
  health: Health;
}

export class HealthMonitor implements HealthWatch {
  readonly #parts: ProbeParts;
  readonly #watches = new Map<string, AbortController>();
  /** ids of the probes that run */
  readonly #probes = new Set<string>();
  readonly #turns = new Turns(STARTS);
  readonly #unwatch: () => void;

  constructor(parts: ProbeParts) {
    this.#parts = parts;
    this.#unwatch = parts.sandbox.init.onExit((process) => this.#dropOrphan(process));
    for (const process of parts.sandbox.init.processes()) this.#dropOrphan(process);
  }

  update(container: Container): void {
    const watched = watchable(container);
    const watch = this.#watches.get(container.id);
    if (!watched) {
      watch?.abort();
      this.#watches.delete(container.id);
    } else if (!watch) {
      const started = new AbortController();
      this.#watches.set(container.id, started);
      this.#watch(container, started.signal).catch((error) => {
        if (!started.signal.aborted) this.#parts.log.error({ err: error }, 'a health check has ended');
      });
    }
  }

  dispose(): void {
    this.#unwatch();
    for (const watch of this.#watches.values()) watch.abort();
    this.#watches.clear();
  }

  async #watch(container: Container, signal: AbortSignal): Promise<void> {
    let process: OciProcess | undefined;
    for (;;) {
      const watched = watchable(container);
      if (!watched) return;
      await sleep(untilNext(watched), undefined, { signal, ref: false });
      if (this.#parts.sandbox.state !== 'running') continue;
      const config = execConfig(watched);
      try {
        process ??= await execProcess(this.#parts, container, config);
        const result = await this.#probe(watched, config, process, signal);
        if (this.#parts.sandbox.state === 'running') await this.#record(container, result, signal);
      } catch (error) {
        if (signal.aborted) return;
        // The sandbox could not be asked: that says nothing of the container's health.
        this.#parts.log.warn({ err: error, container: container.id }, 'a health check could not be run');
      }
    }
  }

  async #probe(
    { container, probe }: Watched,
    config: ExecConfig,
    process: OciProcess,
    signal: AbortSignal,
  ): Promise<ProbeResult> {
    const exec = { id: newId(), config };
    this.#probes.add(exec.id);
    try {
      const startInTurn = <T>(start: () => Promise<T>) => this.#turns.run(start);
      return await runProbe(this.#parts, container, probe, { exec, process, startInTurn }, signal);
    } finally {
      this.#probes.delete(exec.id);
    }
  }

  /** A change of status is written down; what else a probe tells is kept in memory, as dockerd does. */
  #record(container: Container, result: ProbeResult, signal: AbortSignal): Promise<void> {
    return container.lock.run(async () => {
      const watched = signal.aborted ? undefined : watchable(container);
      if (!watched) return;
      const { record } = container;
      const health = healthAfter(watched.health, watched.probe, record.state.startedAt, result);
      const state = { ...record.state, health };
      if (health.status === watched.health.status) {
        container.record = { ...record, state };
        return;
      }
      await this.#parts.containers.update(container, { state });
      const { events } = this.#parts;
      events.publish('container', `health_status: ${health.status}`, container.id, container.attributes);
    });
  }

  /** A probe of an engine that is gone, or of a container that went meanwhile. */
  #dropOrphan({ key, state }: ProcessState): void {
    const id = /^health\.([0-9a-f]{64})$/.exec(key)?.[1];
    if (id === undefined || this.#probes.has(id)) return;
    const { init } = this.#parts.sandbox;
    const away = state === 'running' ? init.signal(probeKey(id), SIGKILL) : init.forget(key);
    away.catch(() => undefined);
  }
}

/** What there is to probe of a container as it is now. */
function watchable(container: Container): Watched | undefined {
  const { config, state } = container.record;
  const probe = probeOf(config);
  if (!probe || state.status !== 'running' || !state.health) return undefined;
  return { container, probe, health: state.health };
}

/** Milliseconds. */
function untilNext({ container, probe, health }: Watched): number {
  const age = Number(nowNanos() - parseRfc3339(container.record.state.startedAt));
  return Math.min(nextProbeIn(health, probe, age) / 1e6, LONGEST_TIMER);
}

function execConfig({ probe }: Watched): ExecConfig {
  return {
    argv: [...probe.argv],
    tty: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    env: [],
    user: '',
    workingDir: '',
    privileged: false,
    detachKeys: '',
    consoleSize: undefined,
  };
}

/** Lets so many do their work at a time; the others wait in the order they came. */
class Turns {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}

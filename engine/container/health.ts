// Health of containers as Docker keeps it: what a HEALTHCHECK means, and what the results of its probes make of it.

import { InvalidParameter } from '../errors.ts';
import { parseRfc3339 } from '../events/clock.ts';
import type { ContainerConfig, Healthcheck } from './config.ts';
import type { Container } from './container.ts';
import type { ContainerRecord, Health, ProbeResult } from './record.ts';

/** moby's daemon/health.go */
const DEFAULTS = { interval: 30e9, timeout: 30e9, startInterval: 5e9, retries: 3 };
const MAX_RESULTS = 5;
const SHORTEST = 1e6;

/** What to run, and when; times in nanoseconds. */
export interface Probe {
  argv: readonly string[];
  interval: number;
  timeout: number;
  startPeriod: number;
  startInterval: number;
  retries: number;
}

/** Runs the probes of containers. */
export interface HealthWatch {
  /** Begins or ends to probe a container, as its recorded state says; to be called after each change of it. */
  update(container: Container): void;
}

/** The probe that a configuration asks for; undefined when there is none, as with `NONE` or an unknown kind. */
export function probeOf({ Healthcheck: check, Shell }: ContainerConfig): Probe | undefined {
  const [kind, ...words] = check?.Test ?? [];
  const argv =
    kind === 'CMD'
      ? words
      : kind === 'CMD-SHELL'
        ? [...(Shell?.length ? Shell : ['/bin/sh', '-c']), words[0] ?? '']
        : [];
  if (argv.length === 0) return undefined;
  return {
    argv,
    interval: check?.Interval || DEFAULTS.interval,
    timeout: check?.Timeout || DEFAULTS.timeout,
    startPeriod: check?.StartPeriod ?? 0,
    startInterval: check?.StartInterval || DEFAULTS.startInterval,
    retries: check?.Retries || DEFAULTS.retries,
  };
}

/** The user's over the image's, field by field; a user's `NONE` wins as a whole. */
export function mergeHealthcheck(
  own: Healthcheck | undefined,
  image: Healthcheck | undefined,
): Healthcheck | undefined {
  if (!own || !image) return own ?? image;
  const Test = own.Test?.length ? own.Test : image.Test;
  return { ...image, ...own, ...(Test ? { Test } : {}) };
}

/** Throws InvalidParameter in Docker's words. */
export function validateHealthcheck(check: Healthcheck | undefined): void {
  if (!check) return;
  for (const field of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    if (check[field] !== undefined && check[field] < SHORTEST) {
      throw new InvalidParameter(`${field} in Healthcheck cannot be less than 1ms`);
    }
  }
  if ((check.Retries ?? 0) < 0) throw new InvalidParameter('Retries in Healthcheck cannot be negative');
}

/** At a start: unknown again, with the results of before. */
export function healthAtStart({ config, state }: ContainerRecord): Health | undefined {
  if (!probeOf(config)) return undefined;
  return { status: 'starting', failingStreak: 0, log: state.health?.log ?? [] };
}

/** While nobody probes (paused, ended), a container counts as unhealthy, as in Docker. */
export function unwatchedHealth(health: Health | undefined): Health | undefined {
  return health && { ...health, status: 'unhealthy' };
}

/** Health after a probe. */
export function healthAfter(health: Health, probe: Probe, startedAt: string, result: ProbeResult): Health {
  const log = [...health.log, result].slice(-MAX_RESULTS);
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  const age = Number(parseRfc3339(result.start) - parseRfc3339(startedAt));
  if (health.status === 'starting' && age < probe.startPeriod) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { status: failingStreak >= probe.retries ? 'unhealthy' : health.status, failingStreak, log };
}

/** Nanoseconds until the next probe. */
export function nextProbeIn(health: Health, probe: Probe, age: number): number {
  return age < probe.startPeriod && health.status === 'starting' ? probe.startInterval : probe.interval;
}

/** `State.Health` of inspect. */
export function describeHealth(health: Health): Record<string, unknown> {
  return {
    Status: health.status,
    FailingStreak: health.failingStreak,
    Log: health.log.map(({ start, end, exitCode, output }) => ({
      Start: start,
      End: end,
      ExitCode: exitCode,
      Output: output,
    })),
  };
}

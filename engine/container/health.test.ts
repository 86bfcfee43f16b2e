import { describe, expect, it } from 'vitest';
import { ContainerConfig } from './config.ts';
import {
  healthAfter,
  mergeHealthcheck,
  nextProbeIn,
  probeOf,
  unwatchedHealth,
  validateHealthcheck,
} from './health.ts';
import type { Health } from './record.ts';

const config = (Healthcheck: unknown, more: object = {}) => ContainerConfig.parse({ Healthcheck, ...more });
const STARTED = '2026-01-01T00:00:00Z';
const result = (exitCode: number, second: number) => ({
  start: `2026-01-01T00:00:${String(second).padStart(2, '0')}Z`,
  end: `2026-01-01T00:00:${String(second).padStart(2, '0')}.1Z`,
  exitCode,
  output: '',
});
const STARTING: Health = { status: 'starting', failingStreak: 0, log: [] };

describe('the probe of a container', () => {
  it('has Docker’s defaults', () => {
    expect(probeOf(config({ Test: ['CMD-SHELL', 'true'] }))).toEqual({
      argv: ['/bin/sh', '-c', 'true'],
      interval: 30e9,
      timeout: 30e9,
      startPeriod: 0,
      startInterval: 5e9,
      retries: 3,
    });
  });

  it('is run by the image’s shell, or as it is', () => {
    expect(probeOf(config({ Test: ['CMD-SHELL', 'x'] }, { Shell: ['bash', '-ec'] }))?.argv).toEqual([
      'bash',
      '-ec',
      'x',
    ]);
    expect(probeOf(config({ Test: ['CMD', 'a', 'b'] }))?.argv).toEqual(['a', 'b']);
  });

  it.each([
    undefined,
    null,
    {},
    { Test: [] },
    { Test: ['NONE'] },
    { Test: ['OTHER', 'x'] },
    { Test: ['CMD'] },
  ])('is none with %j', (check) => {
    expect(probeOf(config(check))).toBeUndefined();
  });

  it('takes from the image what the user does not say', () => {
    const image = { Test: ['CMD', 'image'], Interval: 5e9, Retries: 7 };
    expect(mergeHealthcheck(config({ Interval: 1e9 }).Healthcheck, image)).toEqual({
      Test: ['CMD', 'image'],
      Interval: 1e9,
      Retries: 7,
    });
    expect(mergeHealthcheck({ Test: ['NONE'] }, image)?.Test).toEqual(['NONE']);
    expect(mergeHealthcheck(undefined, image)).toEqual(image);
  });

  it('is refused with times that are too short', () => {
    expect(() => validateHealthcheck({ Interval: 1 })).toThrow(
      'Interval in Healthcheck cannot be less than 1ms',
    );
    expect(() => validateHealthcheck({ StartInterval: -1 })).toThrow('StartInterval in Healthcheck');
    expect(() => validateHealthcheck({ Retries: -1 })).toThrow('Retries in Healthcheck cannot be negative');
  });
});

describe('health', () => {
  const probe = probeOf(config({ Test: ['CMD', 'x'], Retries: 2, StartPeriod: 10e9, StartInterval: 1e9 }));
  if (!probe) throw new Error('no probe');

  it('stays starting while the start period lasts, then counts failures', () => {
    let health = healthAfter(STARTING, probe, STARTED, result(1, 5));
    expect(health).toMatchObject({ status: 'starting', failingStreak: 0 });
    health = healthAfter(health, probe, STARTED, result(1, 11));
    expect(health).toMatchObject({ status: 'starting', failingStreak: 1 });
    health = healthAfter(health, probe, STARTED, result(1, 12));
    expect(health).toMatchObject({ status: 'unhealthy', failingStreak: 2 });
    health = healthAfter(health, probe, STARTED, result(0, 13));
    expect(health).toMatchObject({ status: 'healthy', failingStreak: 0 });
    health = healthAfter(health, probe, STARTED, result(1, 14));
    expect(health).toMatchObject({ status: 'healthy', failingStreak: 1 });
  });

  it('counts a failure in the start period once it was healthy', () => {
    const healthy = healthAfter(STARTING, probe, STARTED, result(0, 1));
    expect(healthAfter(healthy, probe, STARTED, result(1, 2)).failingStreak).toBe(1);
  });

  it('keeps the last five results', () => {
    let health = STARTING;
    for (let second = 1; second <= 7; second++)
      health = healthAfter(health, probe, STARTED, result(0, second));
    expect(health.log.map(({ start }) => start.slice(17, 19))).toEqual(['03', '04', '05', '06', '07']);
  });

  it('is probed more often while it starts', () => {
    expect(nextProbeIn(STARTING, probe, 5e9)).toBe(1e9);
    expect(nextProbeIn(STARTING, probe, 11e9)).toBe(30e9);
    expect(nextProbeIn({ ...STARTING, status: 'healthy' }, probe, 5e9)).toBe(30e9);
  });

  it('is unhealthy while nobody looks', () => {
    expect(unwatchedHealth({ ...STARTING, failingStreak: 1 })).toEqual({
      status: 'unhealthy',
      failingStreak: 1,
      log: [],
    });
    expect(unwatchedHealth(undefined)).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { parseLimits } from './cgroup-limits.ts';

describe('cgroup limits', () => {
  it('reads cgroup v2', () => {
    expect(parseLimits('memory.max 67108864\ncpu.max 50000 100000\npids.max 50\n')).toEqual({
      memory: 67108864,
      cpus: 0.5,
      pids: 50,
    });
    expect(parseLimits('memory.max max\ncpu.max max 100000\npids.max max\n')).toEqual({});
  });

  it('reads cgroup v1, which has a number for no limit', () => {
    expect(
      parseLimits(
        'memory.limit_in_bytes 9223372036854771712\ncpu.cfs_quota_us -1\ncpu.cfs_period_us 100000\npids.max 50',
      ),
    ).toEqual({ pids: 50 });
    expect(
      parseLimits('memory.limit_in_bytes 67108864\ncpu.cfs_quota_us 150000\ncpu.cfs_period_us 100000\n'),
    ).toEqual({
      memory: 67108864,
      cpus: 1.5,
    });
  });
});

// Samples in the shape of the API, from the text of the kernel's files.

import { describe, expect, it } from 'vitest';
import { describeSample } from './stats.ts';

const SYSTEM = 'cpu  100 1 20 400 5 0 6 7 0 0\ncpu0 50 0 10 200 2 0 3 3 0 0\ncpu1 50 1 10 200 3 0 3 4 0 0\n';
const NET = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     999       9    0    0    0     0          0         0      999       9    0    0    0     0       0          0
  eth1:       5       4    3    2    0     0          0         0        1       2    3    4    0     0       0          0
  eth0:    1000      10    1    2    0     0          0         0     2000      20    3    4    0     0       0          0
`;

function sampleOf(files: Record<string, string>) {
  return { time: 1_700_000_000_123_456_789n, files: new Map(Object.entries({ stat: SYSTEM, ...files })) };
}

describe('docker stats', () => {
  it('reads the files of cgroup v2', () => {
    const sample = sampleOf({
      'cpu.stat':
        'usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 4\nnr_throttled 3\nthrottled_usec 2\n',
      'memory.current': '5000\n',
      'memory.peak': '9000\n',
      'memory.max': 'max\n',
      'memory.stat': 'anon 10\ninactive_file 4000\n',
      'pids.current': '3\n',
      'pids.max': 'max\n',
      'io.stat': '8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n7:1 \n',
      'net/dev': NET,
    });
    const read = describeSample({ isV2: true, memory: 2 ** 30 }, sample, undefined);
    expect(read).toMatchObject({
      read: '2023-11-14T22:13:20.123456789Z',
      preread: '0001-01-01T00:00:00Z',
      cpu_stats: {
        cpu_usage: { total_usage: 1_500_000, usage_in_kernelmode: 500_000, usage_in_usermode: 1_000_000 },
        system_cpu_usage: 5_320_000_000,
        online_cpus: 2,
        throttling_data: { periods: 4, throttled_periods: 3, throttled_time: 2000 },
      },
      memory_stats: { usage: 5000, stats: { anon: 10, inactive_file: 4000 }, limit: 2 ** 30 },
      pids_stats: { current: 3 },
      blkio_stats: {
        io_service_bytes_recursive: [
          { major: 8, minor: 0, op: 'read', value: 4096 },
          { major: 8, minor: 0, op: 'write', value: 8192 },
          { major: 7, minor: 1, op: 'read', value: 0 },
          { major: 7, minor: 1, op: 'write', value: 0 },
        ],
        io_serviced_recursive: null,
      },
      networks: {
        eth0: {
          ...{ rx_bytes: 1000, rx_packets: 10, rx_errors: 1, rx_dropped: 2 },
          ...{ tx_bytes: 2000, tx_packets: 20, tx_errors: 3, tx_dropped: 4 },
        },
      },
    });
    expect(Object.keys(read.networks ?? {})).toEqual(['eth0', 'eth1']);
  });

  it('takes nothing but numbers from the files', () => {
    const sample = sampleOf({
      'cpu.stat': 'usage_usec -1\n__proto__ 3\nusage_usec 1e9\n',
      'memory.current': '12x',
      'memory.stat': 'a b c\n\u0000 3\n',
      'io.stat': `${'9'.repeat(400)}`,
      'net/dev': 'eth0: many\n',
    });
    const read = describeSample({ isV2: true, memory: 1 }, sample, sample);
    expect(read).toMatchObject({ cpu_stats: { cpu_usage: { total_usage: 0 } }, memory_stats: {} });
    expect(read).not.toHaveProperty('networks');
  });

  it('is all zeros without a sample', () => {
    const read = describeSample({ isV2: false, memory: 1 }, undefined, undefined);
    expect(read).toMatchObject({ read: '0001-01-01T00:00:00Z', memory_stats: {}, pids_stats: {} });
  });
});

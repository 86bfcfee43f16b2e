import { describe, expect, it } from 'vitest';
import { ContainerConfig, HostConfig } from './config.ts';
import { describeMounts, mountPoints } from './mounts.ts';

const points = (host: unknown, config: unknown = {}) =>
  mountPoints(ContainerConfig.parse(config), HostConfig.parse(host));

describe('docker run -v', () => {
  it('mounts a directory of the lab host, writable unless it says ro', () => {
    expect(points({ Binds: ['/a/../b:/c/', '/x:/y:ro,z'] })).toMatchObject([
      { type: 'bind', source: '/b', destination: '/c', writable: true, createsSource: true },
      { type: 'bind', source: '/x', destination: '/y', writable: false, mode: 'ro,z' },
    ]);
  });

  it.each([
    ['/a:b', "invalid mount path: 'b' mount path must be absolute"],
    ['/a:/', "destination can't be '/'"],
    ['/a:/b:bogus', 'invalid mode: bogus'],
    ['/a:/b:ro:x', "invalid volume specification: '/a:/b:ro:x'"],
    ['rel/path:/b', 'includes invalid characters for a local volume name'],
    ['data:/b', 'volumes are not supported by Berth yet'],
    ['/a:/b:shared', 'the mount mode shared is not supported'],
  ])('refuses %s', (bind, message) => {
    expect(() => points({ Binds: [bind] })).toThrow(message);
  });

  it('refuses two mounts at one place, and volumes of the image that nothing covers', () => {
    expect(() => points({ Binds: ['/a:/c', '/b:/c'] })).toThrow('Duplicate mount point: /c');
    expect(() => points({}, { Volumes: { '/data': {} } })).toThrow('volumes are not supported');
    expect(points({ Binds: ['/a:/data'] }, { Volumes: { '/data': {} } })).toHaveLength(1);
  });

  it('mounts parents before children', () => {
    expect(points({ Binds: ['/a:/x/y/z', '/b:/x'] }).map((point) => point.destination)).toEqual([
      '/x',
      '/x/y/z',
    ]);
  });
});

describe('docker run --tmpfs and --mount', () => {
  it('makes a tmpfs with options and refuses unknown ones', () => {
    expect(points({ Tmpfs: { '/t': 'size=1m,exec' } })).toMatchObject([
      { type: 'tmpfs', options: ['size=1m', 'exec'] },
    ]);
    expect(() => points({ Tmpfs: { '/t': 'bogus' } })).toThrow('invalid tmpfs option "bogus"');
  });

  it('lists mounts as inspect shows them, without --tmpfs', () => {
    const host = HostConfig.parse({
      Tmpfs: { '/t': '' },
      Mounts: [
        { Type: 'bind', Source: '/s', Target: '/d', ReadOnly: true },
        { Type: 'tmpfs', Target: '/m', TmpfsOptions: { SizeBytes: 5, Mode: 0o700 } },
      ],
    });
    expect(describeMounts(ContainerConfig.parse({}), host)).toEqual([
      { Type: 'bind', Source: '/s', Destination: '/d', Mode: '', RW: false, Propagation: 'rprivate' },
      { Type: 'tmpfs', Source: '', Destination: '/m', Mode: '', RW: true, Propagation: '' },
    ]);
  });
});

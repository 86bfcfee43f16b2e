import { describe, expect, it } from 'vitest';
import { ContainerConfig, HostConfig } from './config.ts';
import { describeMounts, type MountPoint } from './mount-point.ts';
import { requestedMounts } from './mounts.ts';

const points = (host: unknown, config: unknown = {}, others: Record<string, MountPoint[]> = {}) =>
  requestedMounts(ContainerConfig.parse(config), HostConfig.parse(host), (name) => others[name] ?? []);

describe('docker run -v', () => {
  it('mounts a directory of the lab host, writable unless it says ro', () => {
    expect(points({ Binds: ['/a/../b:/c/', '/x:/y:ro,z'] })).toMatchObject([
      { type: 'bind', source: '/b', destination: '/c', writable: true, createsSource: true },
      {
        type: 'bind',
        source: '/x',
        destination: '/y',
        writable: false,
        mode: 'ro,z',
        recursiveReadOnly: true,
      },
    ]);
  });

  it('mounts a volume by its name, filled from the image unless it says nocopy', () => {
    expect(
      points({ Binds: ['data:/a', 'data:/b:ro,nocopy', '/anonymous'], VolumeDriver: 'local' }),
    ).toMatchObject([
      { type: 'volume', name: 'data', mode: 'z', writable: true, isFilled: true, isAnonymous: false },
      { type: 'volume', name: 'data', mode: 'ro,nocopy', writable: false, isFilled: false },
      { type: 'volume', name: '', mode: '', isAnonymous: true, request: { driver: 'local' } },
    ]);
  });

  it.each([
    ['/a:b', `invalid mount config for type "bind": invalid mount path: 'b' mount path must be absolute`],
    ['ab:b', `invalid mount config for type "volume": invalid mount path: 'b' mount path must be absolute`],
    ['/a:/', "destination can't be '/'"],
    ['ab:/../', "destination can't be '/'"],
    ['/a:/b:bogus', 'invalid mode: bogus'],
    ['/a:/b:ro,rw', 'invalid mode: ro,rw'],
    ['/a:/b:ro:x', "invalid volume specification: '/a:/b:ro:x'"],
    ['/a::ro', "invalid volume specification: '/a::ro'"],
    ['', "invalid volume specification: ''"],
    ['/a:/b:nocopy', 'invalid mount config for type "bind": field VolumeOptions must not be specified'],
    ['ab:/b:shared', 'invalid mount config for type "volume": field BindOptions must not be specified'],
    ['/a\0:/b', 'invalid volume specification'],
  ])('refuses %j', (bind, message) => {
    expect(() => points({ Binds: [bind] })).toThrow(message);
  });

  it('refuses two mounts at one place', () => {
    expect(() => points({ Binds: ['/a:/c', 'vol:/c'] })).toThrow('Duplicate mount point: /c');
    expect(() => points({ Binds: ['vol:/c'], Tmpfs: { '/c': '' } })).toThrow('Duplicate mount point: /c');
  });

  it('gives the image’s VOLUME a volume of the container’s own, unless something else is mounted there', () => {
    const config = { Volumes: { '/data': {}, '/more/': {} } };
    expect(points({ Binds: ['/a:/data'] }, config)).toMatchObject([
      { type: 'bind', destination: '/data' },
      { type: 'volume', destination: '/more', isAnonymous: true, mode: '' },
    ]);
    expect(() => points({}, { Volumes: { relative: {} } })).toThrow('mount path must be absolute');
    // as on Docker: the volume is there, and the tmpfs hides it
    expect(points({ Tmpfs: { '/data': '' } }, config).map((point) => point.type)).toEqual([
      'volume',
      'volume',
      'tmpfs',
    ]);
  });

  it('mounts parents before children', () => {
    expect(points({ Binds: ['/a:/x/y/z', '/b:/x'] }).map((point) => point.destination)).toEqual([
      '/x',
      '/x/y/z',
    ]);
  });
});

describe('docker run --mount', () => {
  it('takes the options of volumes', () => {
    const mount = {
      Type: 'volume',
      Source: 'data',
      Target: '/d',
      ReadOnly: true,
      VolumeOptions: {
        NoCopy: true,
        Subpath: 'a/b',
        Labels: { l: '1' },
        DriverConfig: { Name: 'local', Options: { type: 'tmpfs', device: 'tmpfs' } },
      },
    };
    expect(points({ Mounts: [mount] })).toMatchObject([
      {
        type: 'volume',
        name: 'data',
        writable: false,
        isFilled: false,
        subpath: 'a/b',
        request: { name: 'data', driver: 'local', labels: { l: '1' }, options: { type: 'tmpfs' } },
      },
    ]);
  });

  it.each([
    [{ Type: 'bogus', Target: '/x' }, 'invalid mount config for type "bogus": mount type unknown'],
    [{ Type: 'toString', Target: '/x' }, 'mount type unknown'],
    [{ Type: 'volume' }, 'field Target must not be empty'],
    [{ Type: 'volume', Target: 'x' }, "invalid mount path: 'x' mount path must be absolute"],
    [{ Type: 'bind', Target: '/x' }, 'field Source must not be empty'],
    [{ Type: 'bind', Source: 's', Target: '/x' }, "invalid mount path: 's' mount path must be absolute"],
    [
      { Type: 'bind', Source: '/s', Target: '/x', BindOptions: { Propagation: 'up' } },
      'invalid propagation mode: up',
    ],
    [{ Type: 'tmpfs', Source: 's', Target: '/x' }, 'field Source must not be specified'],
    [
      { Type: 'volume', Source: 'v', Target: '/x', VolumeOptions: { Subpath: '/etc' } },
      'subpath must be a relative path',
    ],
    [
      { Type: 'volume', Source: 'v', Target: '/x', VolumeOptions: { Subpath: 'a/../../b' } },
      'subpath must be a relative',
    ],
    [
      { Type: 'volume', Target: '/x', VolumeOptions: { Subpath: 'a' } },
      'must not set Subpath when using anonymous',
    ],
  ])('refuses %j', (mount, message) => {
    expect(() => points({ Mounts: [mount] })).toThrow(message);
  });

  it('makes a tmpfs with options and refuses unknown ones', () => {
    expect(points({ Tmpfs: { '/t': 'size=1m,exec' } })).toMatchObject([
      { type: 'tmpfs', options: ['size=1m', 'exec'] },
    ]);
    expect(() => points({ Tmpfs: { '/t': 'bogus' } })).toThrow('invalid tmpfs option "bogus"');
  });

  it('lists mounts as inspect shows them, without --tmpfs', () => {
    const mounts = points({
      Tmpfs: { '/t': '' },
      Binds: ['data:/v'],
      Mounts: [
        { Type: 'bind', Source: '/s', Target: '/d', ReadOnly: true },
        { Type: 'tmpfs', Target: '/m', TmpfsOptions: { SizeBytes: 5, Mode: 0o700 } },
      ],
    });
    expect(describeMounts(mounts)).toEqual([
      {
        Type: 'volume',
        Name: 'data',
        Source: '/var/lib/docker/volumes/data/_data',
        Destination: '/v',
        Driver: 'local',
        Mode: 'z',
        RW: true,
        Propagation: '',
      },
      { Type: 'bind', Source: '/s', Destination: '/d', Mode: '', RW: false, Propagation: 'rprivate' },
      { Type: 'tmpfs', Source: '', Destination: '/m', Mode: '', RW: true, Propagation: '' },
    ]);
  });

  it('keeps the request as it came, for inspect', () => {
    const Mounts = [
      { Type: 'volume', Source: 'v', Target: '/d', VolumeOptions: { NoCopy: true, DriverConfig: {} } },
    ];
    expect(JSON.parse(JSON.stringify(HostConfig.parse({ Mounts }).Mounts))).toEqual(Mounts);
  });
});

describe('docker run --volumes-from', () => {
  const other = points({ Binds: ['data:/d', '/s:/b'], Tmpfs: { '/t': '' } });

  it('takes over what the other container mounts, and what is its own goes over that', () => {
    expect(points({ VolumesFrom: ['c'], Binds: ['mine:/d'] }, {}, { c: other })).toMatchObject([
      { name: 'mine', destination: '/d', isFilled: true },
      { type: 'bind', destination: '/b', writable: true },
    ]);
    expect(points({ VolumesFrom: ['c:ro'] }, {}, { c: other })).toMatchObject([
      { name: 'data', writable: false, isFilled: false, mode: '' },
      { type: 'bind', writable: false, recursiveReadOnly: true },
    ]);
  });

  it('refuses modes that make no sense', () => {
    expect(() => points({ VolumesFrom: ['c:zz'] }, {}, { c: other })).toThrow('invalid mode: zz');
    expect(() => points({ VolumesFrom: [':ro'] }, {}, { c: other })).toThrow('malformed volumes-from');
  });
});

import { describe, expect, it } from 'vitest';
import { checkVolumeRequest, driverMount } from './options.ts';

const check = (name: string, options: Record<string, string> = {}, driver = '') =>
  checkVolumeRequest({ name, driver, options, labels: null });
const mountOf = (options: Record<string, string>) =>
  driverMount({ name: 'v1', created: '', labels: null, options, state: 'ready' });

describe('docker volume create', () => {
  it.each([
    ['x', 'create x: volume name is too short, names should be at least two alphanumeric characters'],
    ['a/b', 'create a/b: "a/b" includes invalid characters for a local volume name'],
    ['..', 'includes invalid characters'],
    ['a\nb', 'includes invalid characters'],
    ['-a', 'includes invalid characters'],
    ['a'.repeat(256), 'file name too long'],
  ])('refuses the name %j', (name, message) => {
    expect(() => check(name)).toThrow(message);
  });

  it.each<[Record<string, string>, string]>([
    [{ foo: 'bar' }, 'create v1: invalid option: "foo"'],
    [{ type: 'tmpfs' }, 'create v1: missing required option: "device"'],
    [{ o: 'bind' }, 'create v1: missing required option: "device"'],
    [{ device: 'tmpfs' }, 'create v1: missing required option: "type"'],
    [{ size: '10m' }, 'create v1: quota size requested but no quota support'],
    [{ type: 'nfs', device: ':/x', o: 'addr=10.0.0.1' }, 'type "nfs" is not possible here'],
    [{ type: 'tmpfs', device: 'a\0b' }, 'NUL'],
  ])('refuses the options %j', (options, message) => {
    expect(() => check('v1', options)).toThrow(message);
  });

  it('knows the local driver only', () => {
    expect(() => check('v1', {}, 'nfs')).toThrow(
      'create v1: error looking up volume plugin nfs: plugin "nfs" not found',
    );
    check('v1', {}, 'local');
  });
});

describe('what a volume’s options mount', () => {
  it('is nothing without options', () => {
    expect(mountOf({})).toBeUndefined();
  });

  it('is a tmpfs, with flags apart from what the file system reads', () => {
    expect(mountOf({ type: 'tmpfs', device: 'tmpfs', o: 'size=1m,noexec,uid=5,nosuid,suid' })).toEqual({
      steps: [
        {
          kind: 'mount',
          source: 'tmpfs',
          path: '/var/lib/docker/volumes/v1/_data',
          fstype: 'tmpfs',
          flags: 8,
          data: 'size=1m,uid=5',
        },
      ],
      device: undefined,
      isReadOnly: false,
      description: 'mount tmpfs:/var/lib/docker/volumes/v1/_data, flags: 0x8, data: size=1m,uid=5',
    });
  });

  it('is a directory of the lab host, read-only by a second step', () => {
    const mount = mountOf({ type: 'none', device: '/srv', o: 'bind,ro' });
    expect(mount).toMatchObject({
      device: '/srv',
      isReadOnly: true,
      steps: [{ flags: 4096 }, { kind: 'exec' }],
    });
    expect(mount?.description).toBe('mount /srv:/var/lib/docker/volumes/v1/_data, flags: 0x1001');
  });
});

import { describe, expect, it } from 'vitest';
import { resolveUser } from './user.ts';

const PASSWD =
  'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\n# comment\nbroken\n1000:x:5:6::/five:\n';
const GROUP = 'root:x:0:\nwheel:x:10:root,other\nwww-data:x:33:\nextra:x:50:www-data\n';
const resolve = (spec: string, groupAdd?: string[]) => resolveUser(spec, PASSWD, GROUP, groupAdd);

describe('docker run --user', () => {
  it('is root with its groups when nothing is said', () => {
    expect(resolve('')).toEqual({ uid: 0, gid: 0, additionalGids: [0, 10], home: '/root' });
  });

  it('finds names, groups and homes in the image', () => {
    expect(resolve('www-data')).toEqual({ uid: 33, gid: 33, additionalGids: [33, 50], home: '/var/www' });
    expect(resolve('www-data:wheel')).toMatchObject({ uid: 33, gid: 10, additionalGids: [10] });
  });

  it('takes numbers that are not in the files', () => {
    expect(resolve('2000')).toEqual({ uid: 2000, gid: 0, additionalGids: [0], home: '/' });
    expect(resolve('2000:3000')).toMatchObject({ uid: 2000, gid: 3000 });
    expect(resolve('33')).toMatchObject({ uid: 33, gid: 33, home: '/var/www' });
  });

  it('prefers a user whose name is the number', () => {
    expect(resolve('1000')).toMatchObject({ uid: 5, gid: 6, home: '/five' });
  });

  it('adds groups by name and number', () => {
    expect(resolve('', ['extra', '77']).additionalGids).toEqual([0, 10, 50, 77]);
  });

  it('refuses unknown names in Docker’s words', () => {
    expect(() => resolve('nosuch')).toThrow('unable to find user nosuch: no matching entries in passwd file');
    expect(() => resolve('0:nosuch')).toThrow(
      'Unable to find group nosuch: no matching entries in group file',
    );
  });
});

import { describe, expect, it } from 'vitest';
import { findArchive, mirrorOfHost, packageProgress, sourceLines } from './debian.ts';

describe('mirrorOfHost', () => {
  it.each([
    ['Types: deb\nURIs: http://ftp.example.org/debian/\nSuites: bookworm', 'http://ftp.example.org/debian'],
    [
      'deb [arch=amd64 signed-by=/k] https://mirror.example/debian bookworm main',
      'https://mirror.example/debian',
    ],
    [
      '# deb http://commented.example/debian x main\nURIs: http://security.debian.org/debian-security',
      undefined,
    ],
    ['deb http://archive.ubuntu.com/ubuntu noble main', undefined],
  ])('finds Debian in %j', (sources, mirror) => {
    expect(mirrorOfHost(sources)).toBe(mirror);
  });
});

describe('findArchive', () => {
  it('uses an own mirror alone, unless one for security updates is named too', async () => {
    const archive = await findArchive('trixie', { BERTH_MIRROR: 'http://m/debian' });
    expect(sourceLines(archive)).toEqual(['deb http://m/debian trixie main']);
    const both = await findArchive('trixie', {
      BERTH_MIRROR: 'http://m/debian',
      BERTH_SECURITY_MIRROR: 'http://s',
    });
    expect(sourceLines(both)).toContain('deb http://s trixie-security main');
  });
});

describe('packageProgress', () => {
  it('counts what apt and dpkg say', () => {
    const heard: string[] = [];
    const hear = packageProgress((detail) => heard.push(detail));
    hear('Get:1 http://deb.debian.org/debian trixie/main amd64 crun amd64 1.21-1 [603 kB]');
    hear('Unpacking crun (1.21-1) ...');
    hear('Setting up crun (1.21-1) ...');
    hear('something else');
    expect(heard).toEqual(['1 packages fetched', '1 packages unpacked', '1 of 1 packages set up']);
  });
});

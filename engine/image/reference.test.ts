import { describe, expect, it } from 'vitest';
import { familiarReference, fullReference, normalizeReference, parseReference } from './reference.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

describe('parseReference', () => {
  it.each([
    ['nginx', 'docker.io/library/nginx'],
    ['nginx:1.26', 'docker.io/library/nginx:1.26'],
    ['someone/tool', 'docker.io/someone/tool'],
    ['index.docker.io/nginx', 'docker.io/library/nginx'],
    ['docker.io/nginx', 'docker.io/library/nginx'],
    ['localhost/nginx', 'localhost/nginx'],
    ['localhost:5000/a/b:t', 'localhost:5000/a/b:t'],
    ['[::1]:5000/a', '[::1]:5000/a'],
    ['registry.example.com/x__y/z-w', 'registry.example.com/x__y/z-w'],
    [`nginx@${DIGEST}`, `docker.io/library/nginx@${DIGEST}`],
    [`nginx:1@${DIGEST}`, `docker.io/library/nginx:1@${DIGEST}`],
    ['UPPER/x', 'UPPER/x'],
  ])('completes %s to %s', (typed, full) => {
    expect(fullReference(parseReference(typed))).toBe(full);
  });

  it.each([
    ['', 'invalid reference format'],
    ['nginx:', 'invalid reference format'],
    ['-nginx', 'invalid reference format'],
    ['a//b', 'invalid reference format'],
    ['nginx:a b', 'invalid reference format'],
    ['nginx@sha256:12', 'invalid reference format'],
    [`nginx:${'t'.repeat(129)}`, 'invalid reference format'],
    ['UPPER', 'invalid reference format: repository name (library/UPPER) must be lowercase'],
    ['a/Upper:x', 'invalid reference format: repository name (a/Upper) must be lowercase'],
    [`nginx@sha256:${'a'.repeat(32)}`, 'invalid checksum digest length'],
    [`nginx@md5:${'a'.repeat(32)}`, 'unsupported digest algorithm'],
    ['a'.repeat(256), 'repository name must not be more than 255 characters'],
  ])('refuses %j: %s', (typed, message) => {
    expect(() => parseReference(typed)).toThrow(message);
  });

  it('refuses what could be an image id', () => {
    expect(() => parseReference('a'.repeat(64))).toThrow('cannot specify 64-byte hexadecimal strings');
  });
});

describe('familiarReference', () => {
  it.each([
    ['docker.io/library/nginx:latest', 'nginx:latest'],
    ['docker.io/someone/tool:1', 'someone/tool:1'],
    ['localhost:5000/library/nginx', 'localhost:5000/library/nginx'],
    ['docker.io/library/a/b', 'library/a/b'],
  ])('shows %s as %s', (full, familiar) => {
    expect(familiarReference(parseReference(full))).toBe(familiar);
  });
});

describe('normalizeReference', () => {
  it('adds the tag latest only where there is neither tag nor digest', () => {
    expect(normalizeReference('nginx')).toBe('docker.io/library/nginx:latest');
    expect(normalizeReference('nginx:1')).toBe('docker.io/library/nginx:1');
    expect(normalizeReference(`nginx@${DIGEST}`)).toBe(`docker.io/library/nginx@${DIGEST}`);
  });
});

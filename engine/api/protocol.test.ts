// The pieces of the wire protocol: routes, frames, detach keys, versions.

import { describe, expect, it } from 'vitest';
import { DetachFilter, parseDetachKeys } from './detach-keys.ts';
import { Router, route } from './router.ts';
import { frame } from './streams.ts';
import { checkVersion } from './version.ts';

describe('the table of operations', () => {
  const router = new Router([
    route('GET', '/images/json', () => undefined),
    route('GET', '/images/{name...}/json', () => undefined),
    route('POST', '/containers/{id}/start', () => undefined),
  ]);

  it('finds image names with slashes', () => {
    expect(router.match('GET', '/images/a/b:c/json')?.params).toEqual({ name: 'a/b:c' });
    expect(router.match('GET', '/images/json')?.params).toEqual({});
    expect(router.match('GET', '/images/a%2Fb/json')?.params).toEqual({ name: 'a/b' });
  });

  it('tells methods apart and keeps ids in one segment', () => {
    expect(router.match('GET', '/containers/x/start')).toBeUndefined();
    expect(router.match('POST', '/containers/x/y/start')).toBeUndefined();
    expect(router.match('POST', '/containers/x/start')?.params).toEqual({ id: 'x' });
  });
});

describe('API versions', () => {
  it('speaks 1.24 to 1.47', () => {
    checkVersion('1.24');
    checkVersion('1.47');
    expect(() => checkVersion('1.23')).toThrow(
      'client version 1.23 is too old. Minimum supported API version is 1.24',
    );
    expect(() => checkVersion('1.48')).toThrow(
      'client version 1.48 is too new. Maximum supported API version is 1.47',
    );
  });
});

describe('multiplexed streams', () => {
  it('frames with stream number and length', () => {
    expect([...frame('stderr', Buffer.from('ab'))]).toEqual([2, 0, 0, 0, 0, 0, 0, 2, 97, 98]);
  });
});

describe('detach keys', () => {
  const bytes = (...values: number[]) => Buffer.from(values);

  it('parses sequences and refuses nonsense', () => {
    expect(parseDetachKeys('')).toEqual([16, 17]);
    expect(parseDetachKeys('ctrl-x,q')).toEqual([24, 113]);
    expect(parseDetachKeys('ctrl-@,ctrl-[')).toEqual([0, 27]);
    expect(() => parseDetachKeys('ctrl-1')).toThrow('Invalid detach keys (ctrl-1) provided');
    expect(() => parseDetachKeys('ab')).toThrow('Invalid detach keys');
  });

  it('holds back a beginning and passes it on when it was none', () => {
    const filter = new DetachFilter('ctrl-p,ctrl-q');
    expect(filter.push(bytes(97, 16))).toEqual({ data: bytes(97), isDetached: false });
    expect(filter.push(bytes(98))).toEqual({ data: bytes(16, 98), isDetached: false });
    expect(filter.push(bytes(16, 16))).toEqual({ data: bytes(16), isDetached: false });
    expect(filter.push(bytes(17, 99))).toEqual({ data: bytes(), isDetached: true });
  });
});

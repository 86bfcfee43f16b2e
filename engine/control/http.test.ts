import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Conflict, EngineError, InvalidParameter, NotFound } from '../errors.ts';
import { errorAnswer, findRoute, matchPath, parseInput, queryNumber } from './http.ts';

describe('matching a path', () => {
  it('takes variables out, decoded', () => {
    expect(matchPath('/v1/sandboxes/:name', '/v1/sandboxes/a%20b')).toEqual({ name: 'a b' });
    expect(matchPath('/v1/sandboxes/:name/terminals/:id', '/v1/sandboxes/a/terminals/t')).toEqual({
      name: 'a',
      id: 't',
    });
  });

  it('keeps the rest after a star as it was sent', () => {
    expect(matchPath('/v1/:name/docker/*', '/v1/a/docker/containers/x%2Fy/json')).toEqual({
      name: 'a',
      rest: '/containers/x%2Fy/json',
    });
  });

  it('wants all of the path, and proper escapes', () => {
    expect(matchPath('/v1/sandboxes/:name', '/v1/sandboxes/a/b')).toBeUndefined();
    expect(matchPath('/v1/sandboxes/:name', '/v1/sandboxes')).toBeUndefined();
    expect(() => matchPath('/v1/:name', '/v1/%zz')).toThrow(InvalidParameter);
  });
});

describe('finding a route', () => {
  const routes = [
    { method: 'GET', pattern: '/a' },
    { method: 'POST', pattern: '/a/:b' },
    { method: '*', pattern: '/d/*' },
  ];

  it('goes by method and path', () => {
    expect(findRoute(routes, 'POST', '/a/x').params).toEqual({ b: 'x' });
    expect(findRoute(routes, 'DELETE', '/d/y/z').params).toEqual({ rest: '/y/z' });
  });

  it('says 404 for an unknown path and 405 for an unknown method', () => {
    expect(() => findRoute(routes, 'GET', '/zzz')).toThrow(NotFound);
    const failure = (() => {
      try {
        return findRoute(routes, 'GET', '/a/x');
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toMatchObject({ status: 405 });
  });
});

describe('input and errors', () => {
  it('name the field that is wrong', () => {
    expect(() => parseInput(z.object({ rows: z.number() }), { rows: 'x' })).toThrow(/^rows: /);
  });

  it('hold numbers of a query in their bounds', () => {
    const query = new URLSearchParams('limit=5&bad=x');
    expect(queryNumber(query, 'limit', 9, 10)).toBe(5);
    expect(queryNumber(query, 'none', 9, 10)).toBe(9);
    expect(() => queryNumber(query, 'limit', 9, 4)).toThrow(InvalidParameter);
    expect(() => queryNumber(query, 'bad', 9, 10)).toThrow(InvalidParameter);
    expect(() => queryNumber(query, 'port', undefined, 10)).toThrow(InvalidParameter);
  });

  it('become status and message', () => {
    expect(errorAnswer(new Conflict('no'))).toEqual({ status: 409, message: 'no' });
    expect(errorAnswer(new EngineError(418, 'tea'))).toEqual({ status: 418, message: 'tea' });
    expect(errorAnswer(new Error('x'))).toEqual({ status: 500, message: 'x' });
  });
});

// The few things that the control API's routes need of HTTP: a table of routes, bounded bodies, JSON answers, errors.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { EngineError, InvalidParameter, messageOf, NotFound } from '../errors.ts';

/** A matched request. */
export interface Call {
  request: IncomingMessage;
  /** the path's variables, decoded */
  params: Record<string, string>;
  query: URLSearchParams;
}

export interface Route {
  method: string;
  /** `/v1/sandboxes/:name/file`; a trailing `*` matches any rest, slashes included, as params.rest */
  pattern: string;
  /** Answers in full, or returns what is sent as JSON (undefined: 204). */
  handle(call: Call, response: ServerResponse): Promise<unknown>;
}

/** A route that hands the connection itself over after `Upgrade: berth-stream`. */
export interface StreamRoute {
  pattern: string;
  /** Resolves once the other end is there, with what takes the connection over; a rejection becomes an HTTP error. */
  open(call: Call): Promise<(socket: Duplex, head: Buffer) => void>;
}

/** Returned by a handler that has answered by itself. */
export const ANSWERED = Symbol('answered');

const JSON_LIMIT = 8 * 2 ** 20;

/** The variables of a path that matches, undefined when it does not. Throws InvalidParameter at bad escapes. */
export function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/');
  const given = path.split('/');
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    if (part === '*') return { ...params, rest: `/${given.slice(index).join('/')}` };
    const value = given[index];
    if (value === undefined) return undefined;
    if (part.startsWith(':')) params[part.slice(1)] = decode(value);
    else if (part !== value) return undefined;
  }
  return given.length === wanted.length ? params : undefined;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new InvalidParameter('the path is not properly encoded');
  }
}

/** Path and query of a request; throws InvalidParameter when they cannot be read. */
export function parseTarget(request: IncomingMessage): {
  path: string;
  query: URLSearchParams;
  search: string;
} {
  const target = request.url ?? '/';
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const search = mark < 0 ? '' : target.slice(mark);
  return { path, query: new URLSearchParams(search), search };
}

export function findRoute<T extends { pattern: string; method?: string }>(
  routes: readonly T[],
  method: string,
  path: string,
): { route: T; params: Record<string, string> } {
  let isKnown = false;
  for (const route of routes) {
    const params = matchPath(route.pattern, path);
    if (!params) continue;
    if (route.method === undefined || route.method === '*' || route.method === method)
      return { route, params };
    isKnown = true;
  }
  throw isKnown
    ? new EngineError(405, `${method} is not possible on ${path}`)
    : new NotFound('page not found');
}

/** The whole body, at most `limit` bytes. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) throw new InvalidParameter('the body cannot be read');
    size += chunk.length;
    if (size > limit) throw new EngineError(413, `the request body is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The body as JSON that fits the schema; throws InvalidParameter saying what does not. */
export async function readJson<T extends z.ZodType>(
  request: IncomingMessage,
  schema: T,
): Promise<z.infer<T>> {
  const text = (await readBody(request, JSON_LIMIT)).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidParameter(`the request body is not JSON: ${messageOf(error)}`, { cause: error });
  }
  return parseInput(schema, value);
}

export function parseInput<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
  throw new InvalidParameter(lines.join('; '));
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}

/** Status and message of anything thrown. */
export function errorAnswer(error: unknown): { status: number; message: string } {
  if (error instanceof EngineError) return { status: error.status, message: error.message };
  return { status: 500, message: messageOf(error) };
}

export function sendError(response: ServerResponse, error: unknown): void {
  const { status, message } = errorAnswer(error);
  if (response.headersSent) response.destroy();
  else sendJson(response, status, { message });
}

/** An HTTP error on a connection that was to be upgraded. */
export function refuseUpgrade(socket: Duplex, error: unknown): void {
  const { status, message } = errorAnswer(error);
  const body = JSON.stringify({ message });
  const head = [
    `HTTP/1.1 ${status} Error`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** A number in a query, within bounds. */
export function queryNumber(
  query: URLSearchParams,
  name: string,
  fallback: number | undefined,
  max: number,
): number {
  const text = query.get(name);
  if (text === null && fallback !== undefined) return fallback;
  return parseInput(z.coerce.number(`${name} must be a number`).int().min(0).max(max), text ?? undefined);
}

export function queryText(query: URLSearchParams, name: string): string {
  const text = query.get(name);
  if (text === null || text === '') throw new InvalidParameter(`the query lacks ${name}`);
  return text;
}

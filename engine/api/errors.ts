// Errors become responses here, and only here: {"message": "..."} with the status of the Docker Engine API.

import type { ServerResponse } from 'node:http';
import { EngineError, messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { StartFailed } from '../sandbox/init-types.ts';
import { COMMON_HEADERS } from './version.ts';

/** Status and message of anything thrown. */
export function describeError(error: unknown): { status: number; message: string } {
  if (error instanceof EngineError) return { status: error.status, message: error.message };
  if (error instanceof StartFailed) return { status: 500, message: error.message };
  return { status: 500, message: messageOf(error) };
}

/** Answers with the error, unless an answer has begun; then the connection is cut, which clients take as an error. */
export function sendError(res: ServerResponse, error: unknown, log: Logger): void {
  const { status, message } = describeError(error);
  // An EngineError is an answer to the student; anything else is a fault of ours.
  if (!(error instanceof EngineError)) log.error({ err: error }, 'an operation of the API failed');
  if (res.headersSent) {
    res.destroy();
    return;
  }
  if (status === 304) {
    res.writeHead(304, COMMON_HEADERS).end();
    return;
  }
  const text = `${JSON.stringify({ message })}\n`;
  res.writeHead(status, {
    ...COMMON_HEADERS,
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  res.end(text);
}

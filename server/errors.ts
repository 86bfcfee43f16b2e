// The server's own errors and how any error is told to a page: a status and a sentence, nothing internal.

import { ControlError, EngineUnreachable } from '../engine/client/http.ts';

/** An answer that is not a success; the message is for the student. */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'HttpError';
  }
}

/** What the page may know of an error. */
export function describeError(error: unknown): { status: number; message: string } {
  if (error instanceof HttpError) return { status: error.status, message: error.message };
  if (error instanceof EngineUnreachable) {
    return { status: 503, message: 'the engine is not running or does not answer; `berth status` says more' };
  }
  if (error instanceof ControlError) return { status: error.status, message: error.message };
  return (
    bodyParserError(error) ?? {
      status: 500,
      message: 'something went wrong in the server; its log says what',
    }
  );
}

/** body-parser's errors carry a status and say whether their message may be shown. */
function bodyParserError(error: unknown): { status: number; message: string } | undefined {
  if (!(error instanceof Error) || !('status' in error) || !('expose' in error)) return undefined;
  if (typeof error.status !== 'number' || error.expose !== true) return undefined;
  return { status: error.status, message: error.message };
}

/** Whether the engine or the lab host is away for now, so that trying again makes sense. */
export function isAway(error: unknown): boolean {
  return error instanceof EngineUnreachable || (error instanceof ControlError && error.status === 503);
}

/** The text of anything thrown, for logs. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

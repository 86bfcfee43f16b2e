// Answers that go on for a while: one JSON object a line, errors in the stream once it has begun.

import type { ServerResponse } from 'node:http';
import { EngineError } from '../errors.ts';
import type { ProgressLine, Report } from '../image/progress.ts';
import type { Logger } from '../log.ts';
import type { Call } from './call.ts';
import { describeError } from './errors.ts';

/** What a client that does not read leaves unsent, before it gets no more figures. */
const MAX_UNSENT = 64 * 1024;

/** Runs work that reports. What fails before the first line is an ordinary error; after it, the last line. */
export async function withProgress(
  call: Call,
  log: Logger,
  work: (report: Report) => Promise<void>,
): Promise<void> {
  let output: ServerResponse | undefined;
  const write = (line: ProgressLine) => {
    output ??= call.stream(200, 'application/json');
    const isFigure = line.progressDetail?.current !== undefined;
    if (isFigure && output.writableLength > MAX_UNSENT) return;
    if (!output.destroyed) output.write(`${JSON.stringify(line)}\r\n`);
  };
  try {
    await work(write);
    output ??= call.stream(200, 'application/json');
  } catch (error) {
    if (!output) throw error;
    if (!(error instanceof EngineError)) log.error({ err: error }, 'an operation of the API failed');
    const { message } = describeError(error);
    write({ errorDetail: { message }, error: message });
  }
  output.end();
}

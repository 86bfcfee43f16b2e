// Lines of a json-file log: split and parsed. The student may write to the file, so that anything may stand in it.

import type { Readable } from 'node:stream';
import { z } from 'zod';
import { parseRfc3339 } from '../events/clock.ts';

/** A record of the log. Bytes are held as a latin1 string, a character each: strings are quicker than small buffers. */
export interface LogLine {
  stream: 'stdout' | 'stderr';
  /** RFC 3339 */
  time: string;
  /** what was written, with its newline unless it is a part of a longer line */
  bytes: string;
  attrs: Readonly<Record<string, string>> | undefined;
}

/** A log line is at most 16 KiB, and grows by escapes; longer ones were not written by us. */
const LONGEST_LINE = 256 * 1024;

const Parsed = z.object({
  log: z.string(),
  stream: z.enum(['stdout', 'stderr']),
  attrs: z.record(z.string(), z.string()).optional(),
  time: z.string(),
});
/** what follows the output in a line of ours without attributes; the last days of a month are left to the other way */
const REST =
  /^","stream":"(stdout|stderr)","time":"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z)"\}$/;
const HEAD = '{"log":"';

/** The lines of a stream, as many at a time as came; what is too long, or no line of a log, is left out. */
export async function* linesOf(body: AsyncIterable<Buffer> | Readable): AsyncGenerator<LogLine[]> {
  let pending = '';
  let isTooLong = false;
  for await (const piece of body) {
    const parts = piece.toString('latin1').split('\n');
    const last = parts.pop() ?? '';
    if (parts.length > 0) {
      parts[0] = pending + parts[0];
      if (isTooLong) parts.shift();
      pending = '';
      isTooLong = false;
    }
    pending += last;
    if (pending.length > LONGEST_LINE) {
      pending = '';
      isTooLong = true;
    }
    const lines: LogLine[] = [];
    for (const part of parts) {
      const line = part.length > LONGEST_LINE ? undefined : parseLine(part);
      if (line) lines.push(line);
    }
    if (lines.length > 0) yield lines;
  }
}

function parseLine(line: string): LogLine | undefined {
  return parsePlain(line) ?? parseJson(line);
}

/** Most lines have no escape but that of their newline, and need no JSON. */
function parsePlain(line: string): LogLine | undefined {
  if (!line.startsWith(HEAD)) return undefined;
  const quote = line.indexOf('"', HEAD.length);
  const backslash = line.indexOf('\\', HEAD.length);
  const isWhole = backslash === quote - 2 && line[quote - 1] === 'n';
  if (!isWhole && backslash >= 0 && backslash < quote) return undefined;
  const [, stream, time] = REST.exec(line.slice(quote)) ?? [];
  if (stream === undefined || time === undefined) return undefined;
  const text = line.slice(HEAD.length, isWhole ? backslash : quote);
  return {
    stream: stream === 'stderr' ? 'stderr' : 'stdout',
    time,
    bytes: isWhole ? `${text}\n` : text,
    attrs: undefined,
  };
}

function parseJson(line: string): LogLine | undefined {
  try {
    const parsed = Parsed.parse(JSON.parse(Buffer.from(line, 'latin1').toString('utf8')));
    parseRfc3339(parsed.time);
    return {
      stream: parsed.stream,
      time: parsed.time,
      bytes: Buffer.from(parsed.log, 'utf8').toString('latin1'),
      attrs: parsed.attrs,
    };
  } catch {
    return undefined;
  }
}

// /containers: attach, also by websocket, and logs.

import { attachContainer } from '../../container/attach.ts';
import type { Container } from '../../container/container.ts';
import { type LogChunk, readLogs, requireReadableLog } from '../../container/logs.ts';
import { isRunning } from '../../container/record.ts';
import { InvalidParameter } from '../../errors.ts';
import { parseTimestamp } from '../../events/clock.ts';
import type { ExecParts } from '../../exec/parts.ts';
import type { Call, RawStream } from '../call.ts';
import { parseDetachKeys } from '../detach-keys.ts';
import { endStream, hijack, streamType } from '../hijack.ts';
import { type Route, route } from '../router.ts';
import { latin1Frame, pipeAttachment, writeTo } from '../streams.ts';
import { acceptWebSocket } from '../websocket.ts';

export function containerStreamRoutes(parts: ExecParts): Route[] {
  return [
    route('POST', '/containers/{id}/attach', (call) => attach(parts, call)),
    route('GET', '/containers/{id}/attach/ws', (call) => attachWebSocket(parts, call)),
    route('GET', '/containers/{id}/logs', (call) => logs(parts, call)),
  ];
}

interface Wanted {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
}

function wantedStreams(call: Call): Wanted {
  return { stdin: call.flag('stdin'), stdout: call.flag('stdout'), stderr: call.flag('stderr') };
}

function attach(parts: ExecParts, call: Call): Promise<void> {
  const container = parts.containers.get(call.param('id'));
  const { Tty } = container.record.config;
  return attachBy(parts, call, wantedStreams(call), {
    isMixed: false,
    accept: async () => hijack(call, Tty),
  });
}

/** Before 1.42 the streams were not asked for, and were all there. */
function attachWebSocket(parts: ExecParts, call: Call): Promise<void> {
  const wanted = call.isAtLeast('1.42') ? wantedStreams(call) : { stdin: true, stdout: true, stderr: true };
  return attachBy(parts, call, wanted, { isMixed: true, accept: () => acceptWebSocket(call) });
}

async function attachBy(
  parts: ExecParts,
  call: Call,
  wanted: Wanted,
  { isMixed, accept }: { isMixed: boolean; accept: () => Promise<RawStream> },
): Promise<void> {
  const container = parts.containers.get(call.param('id'));
  const detachKeys = call.text('detachKeys');
  parseDetachKeys(detachKeys);
  // dockerode sends its options as a body as well
  await call.discardBody();
  const { Tty } = container.record.config;
  const attachment = call.flag('stream') ? await attachContainer(parts, container, wanted) : undefined;
  let stream: RawStream;
  try {
    stream = await accept();
  } catch (error) {
    attachment?.close();
    throw error;
  }
  if (call.flag('logs')) await replayLogs(parts, container, stream, wanted, isMixed || Tty, call.signal);
  if (attachment) {
    const end = await pipeAttachment(stream, attachment, {
      hasTerminal: Tty,
      isMixed,
      stdin: wanted.stdin,
      detachKeys,
      signal: call.signal,
    });
    if (end !== 'ended' && isRunning(container.record)) {
      parts.events.publish('container', 'detach', container.id, container.attributes);
    }
  }
  endStream(stream);
}

/** What was written before, as `logs=1` asks. */
async function replayLogs(
  parts: ExecParts,
  container: Container,
  stream: RawStream,
  { stdout, stderr }: Wanted,
  isMixed: boolean,
  signal: AbortSignal,
): Promise<void> {
  const options = {
    stdout,
    stderr,
    follow: false,
    timestamps: false,
    details: false,
    since: undefined,
    until: undefined,
    tail: undefined,
  };
  await writeLogs(readLogs(parts, container, options, signal), stream, isMixed, signal);
}

async function writeLogs(
  logs: AsyncIterable<LogChunk[]>,
  { output }: Pick<RawStream, 'output'>,
  isMixed: boolean,
  signal: AbortSignal,
): Promise<void> {
  for await (const chunks of logs) {
    let bytes = '';
    for (const chunk of chunks) bytes += isMixed ? chunk.bytes : latin1Frame(chunk.stream, chunk.bytes);
    if (!(await writeTo(output, Buffer.from(bytes, 'latin1'), signal))) return;
  }
}

async function logs(parts: ExecParts, call: Call): Promise<void> {
  const container = parts.containers.get(call.param('id'));
  const options = {
    stdout: call.flag('stdout'),
    stderr: call.flag('stderr'),
    follow: call.flag('follow'),
    timestamps: call.flag('timestamps'),
    details: call.flag('details'),
    since: parseTimestamp(call.query.get('since')),
    until: parseTimestamp(call.query.get('until')),
    tail: parseTail(call.text('tail')),
  };
  if (!options.stdout && !options.stderr) {
    throw new InvalidParameter('Bad parameters: you must choose at least one stream');
  }
  requireReadableLog(container);
  const { Tty } = container.record.config;
  const output = call.stream(200, streamType(call, Tty));
  await writeLogs(readLogs(parts, container, options, call.signal), { output }, Tty, call.signal);
  output.end();
}

/** `all`, or a number of lines; anything else is all, as in Docker. */
function parseTail(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

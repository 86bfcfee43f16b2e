// /containers: attach and logs.

import { attachContainer } from '../../container/attach.ts';
import type { Container } from '../../container/container.ts';
import { type LogOptions, readLogs, requireReadableLog } from '../../container/logs.ts';
import { isRunning } from '../../container/record.ts';
import { InvalidParameter } from '../../errors.ts';
import { parseTimestamp } from '../../events/clock.ts';
import type { ExecParts } from '../../exec/parts.ts';
import type { Call, RawStream } from '../call.ts';
import { parseDetachKeys } from '../detach-keys.ts';
import { endStream, hijack, streamType } from '../hijack.ts';
import { type Route, route } from '../router.ts';
import { latin1Frame, pipeAttachment, writeTo } from '../streams.ts';

export function containerStreamRoutes(parts: ExecParts): Route[] {
  return [
    route('POST', '/containers/{id}/attach', (call) => attach(parts, call)),
    route('GET', '/containers/{id}/logs', (call) => logs(parts, call)),
  ];
}

async function attach(parts: ExecParts, call: Call): Promise<void> {
  const container = parts.containers.get(call.param('id'));
  const detachKeys = call.text('detachKeys');
  parseDetachKeys(detachKeys);
  const wanted = { stdin: call.flag('stdin'), stdout: call.flag('stdout'), stderr: call.flag('stderr') };
  const { Tty } = container.record.config;
  const attachment = call.flag('stream') ? await attachContainer(parts, container, wanted) : undefined;
  const stream = hijack(call, Tty);
  if (call.flag('logs')) await replayLogs(parts, container, stream, call);
  if (attachment) {
    const end = await pipeAttachment(stream, attachment, {
      hasTerminal: Tty,
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
  call: Call,
): Promise<void> {
  const options = {
    stdout: call.flag('stdout'),
    stderr: call.flag('stderr'),
    follow: false,
    timestamps: false,
    details: false,
    since: undefined,
    until: undefined,
    tail: undefined,
  };
  await writeLogs(parts, container, stream, options, call.signal);
}

async function writeLogs(
  parts: ExecParts,
  container: Container,
  { output }: Pick<RawStream, 'output'>,
  options: LogOptions,
  signal: AbortSignal,
): Promise<void> {
  const { Tty } = container.record.config;
  for await (const chunks of readLogs(parts, container, options, signal)) {
    let bytes = '';
    for (const chunk of chunks) bytes += Tty ? chunk.bytes : latin1Frame(chunk.stream, chunk.bytes);
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
  const output = call.stream(200, streamType(call, container.record.config.Tty));
  await writeLogs(parts, container, { output }, options, call.signal);
  output.end();
}

/** `all`, or a number of lines; anything else is all, as in Docker. */
function parseTail(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

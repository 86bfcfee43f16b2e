// /exec and /containers/{id}/exec.

import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { createExec } from '../../exec/create.ts';
import { inspectExec, resizeExec } from '../../exec/inspect.ts';
import type { ExecParts } from '../../exec/parts.ts';
import { attachExec, claimExec, execKey, prepareExec, runExec } from '../../exec/start.ts';
import type { Exec } from '../../exec/store.ts';
import type { Call } from '../call.ts';
import { parseDetachKeys } from '../detach-keys.ts';
import { endStream, hijack } from '../hijack.ts';
import { type Route, route } from '../router.ts';
import { frame, pipeAttachment, writeTo } from '../streams.ts';
import { terminalSize } from './containers.ts';

const size = z.tuple([z.number().int().min(0).max(65535), z.number().int().min(0).max(65535)]).nullish();

const CreateBody = z.looseObject({
  Cmd: z.union([z.string().transform((word) => [word]), z.array(z.string())]).nullish(),
  Tty: z.boolean().nullish(),
  AttachStdin: z.boolean().nullish(),
  AttachStdout: z.boolean().nullish(),
  AttachStderr: z.boolean().nullish(),
  Env: z.array(z.string()).nullish(),
  User: z.string().nullish(),
  WorkingDir: z.string().nullish(),
  Privileged: z.boolean().nullish(),
  DetachKeys: z.string().nullish(),
  ConsoleSize: size,
});

const StartBody = z.looseObject({
  Detach: z.boolean().nullish(),
  Tty: z.boolean().nullish(),
  ConsoleSize: size,
});

export function execRoutes(parts: ExecParts): Route[] {
  return [
    route('POST', '/containers/{id}/exec', async (call) => {
      const container = parts.containers.get(call.param('id'));
      const body = await call.json(CreateBody, { optional: true });
      const detachKeys = body.DetachKeys ?? '';
      parseDetachKeys(detachKeys);
      const exec = await createExec(parts, container, {
        argv: body.Cmd ?? [],
        tty: body.Tty ?? false,
        attachStdin: body.AttachStdin ?? false,
        attachStdout: body.AttachStdout ?? false,
        attachStderr: body.AttachStderr ?? false,
        env: body.Env ?? [],
        user: body.User ?? '',
        workingDir: body.WorkingDir ?? '',
        privileged: body.Privileged ?? false,
        detachKeys,
        consoleSize: body.ConsoleSize ?? undefined,
      });
      call.send(201, { Id: exec.id });
    }),
    route('POST', '/exec/{id}/start', (call) => start(parts, call)),
    route('POST', '/exec/{id}/resize', async (call) => {
      const { rows, cols } = terminalSize(call);
      await resizeExec(parts, parts.execs.get(call.param('id')), rows, cols);
      call.empty(200);
    }),
    route('GET', '/exec/{id}/json', (call) => {
      call.send(200, inspectExec(parts.execs.get(call.param('id'))));
    }),
  ];
}

async function start(parts: ExecParts, call: Call): Promise<void> {
  const exec = parts.execs.get(call.param('id'));
  const body = await call.json(StartBody, { optional: true });
  const container = claimExec(parts, exec);
  if (body.ConsoleSize && exec.config.tty) exec.config.consoleSize = body.ConsoleSize;
  const prepared = prepareExec(parts, container, exec);
  if (body.Detach) {
    await runExec(parts, container, exec, prepared, true);
    call.empty(200);
    return;
  }
  await startAttached(parts, call, exec, () => runExec(parts, container, exec, prepared, false));
}

/** Errors after the answer has begun go into the stream, as dockerd does; the exit code says 126 or 127. */
async function startAttached(
  parts: ExecParts,
  call: Call,
  exec: Exec,
  run: () => Promise<void>,
): Promise<void> {
  const { tty, attachStdin, detachKeys } = exec.config;
  const attachment = await attachExec(parts, exec).catch((error) => {
    exec.state = 'ended';
    parts.execs.expire(exec);
    void parts.execs.record(exec);
    throw error;
  });
  const stream = hijack(call, tty);
  try {
    await run();
  } catch (error) {
    attachment.close();
    const text = Buffer.from(`${messageOf(error)}\r\n`);
    await writeTo(stream.output, tty ? text : frame('stdout', text), call.signal);
    endStream(stream);
    return;
  }
  const end = await pipeAttachment(stream, attachment, {
    hasTerminal: tty,
    stdin: attachStdin,
    detachKeys,
    signal: call.signal,
  });
  // The client asks for the exit code as soon as the stream ends.
  if (end === 'ended') await parts.sandbox.init.waitExit(execKey(exec), call.signal).catch(() => undefined);
  endStream(stream);
}

// berth-init's tools (`berth-init layer`, `view`, …): processes of the sandbox whose input and output stream through the engine.

import { randomBytes } from 'node:crypto';
import { messageOf, SystemError } from '../errors.ts';
import type { Attachment, InitApi, ProcessSpec, Step } from './init-types.ts';

const SIGKILL = 9;
const MAX_COMPLAINT = 4000;
const END_PATIENCE = 5000;

/** A tool that ended with another status than 0; the message is its own. */
export class ToolFailed extends SystemError {
  constructor(
    message: string,
    /** its exit status, 128+N when signal N killed it */
    readonly exitStatus: number,
  ) {
    super(message);
  }
}

export interface ProgramRun {
  /** the beginning of its process's key, by which endTools finds it */
  name: string;
  argv: readonly string[];
  /** done before, in the same request */
  steps?: readonly Step[];
  cwd?: string;
  input?: AsyncIterable<Uint8Array>;
  signal?: AbortSignal;
  /** hears what it said on its standard error when it has succeeded */
  onMessage?(text: string): void;
}

/** Runs a tool of berth-init's, as runProgram does; its name is that of the tool. */
export function runTool(
  init: InitApi,
  { args, ...run }: Omit<ProgramRun, 'argv'> & { args: readonly string[] },
): AsyncGenerator<Buffer> {
  return runProgram(init, { ...run, argv: ['/usr/sbin/berth-init', run.name, ...args] });
}

/**
 * Runs a program of the sandbox; its output streams by as fast as it is taken. Throws ToolFailed when the tool fails, and what the signal or
 * the input throws. Leaving it early kills the tool.
 */
export async function* runProgram(init: InitApi, run: ProgramRun): AsyncGenerator<Buffer> {
  const { input, signal } = run;
  const spec: ProcessSpec = {
    key: `${run.name}.${randomBytes(8).toString('hex')}`,
    argv: run.argv,
    env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
    openStdin: input !== undefined,
    stdinOnce: input !== undefined,
    ...(run.cwd === undefined ? {} : { cwd: run.cwd }),
  };
  signal?.throwIfAborted();
  await init.reserve(spec);
  const attachment = await init.attach(spec.key, {
    stdin: input !== undefined,
    stdinOnce: input !== undefined,
    stdout: true,
    stderr: true,
  });
  const kill = () => init.signal(spec.key, SIGKILL).catch(() => undefined);
  signal?.addEventListener('abort', kill, { once: true });
  const ending = new AbortController();
  let isOver = false;
  try {
    await init.start(run.steps ?? [], spec);
    const ended = init.waitExit(spec.key, ending.signal);
    ended.catch(() => undefined);
    const over = ended.then(
      () => undefined,
      () => undefined,
    );
    const feeding = input ? feed(attachment.stdin, input, over) : Promise.resolve();
    // An input that fails leaves half an archive, which must not look like a whole one.
    feeding.catch(kill);
    let complaint = '';
    for await (const { stream, data } of attachment.output) {
      if (stream === 'stdout') yield data;
      else if (complaint.length < MAX_COMPLAINT) complaint += data.toString('utf8');
    }
    const { status } = await ended;
    isOver = true;
    signal?.throwIfAborted();
    // What the tool said counts more than that it took no more input.
    if (status !== 0 && status !== 128 + SIGKILL) {
      throw new ToolFailed(complaint.trim() || `${run.argv[0]} ended with ${status}`, status);
    }
    await feeding;
    if (status !== 0) throw new ToolFailed(`${run.argv[0]} was killed`, status);
    run.onMessage?.(complaint);
  } finally {
    signal?.removeEventListener('abort', kill);
    attachment.close();
    if (!isOver) {
      await kill();
      await init.waitExit(spec.key, AbortSignal.timeout(END_PATIENCE)).catch(() => undefined);
    }
    ending.abort();
    await init.forget(spec.key).catch(() => undefined);
  }
}

/** Writes as fast as the process reads; ends quietly when it has ended. */
async function feed(
  stdin: Attachment['stdin'],
  input: AsyncIterable<Uint8Array>,
  over: Promise<void>,
): Promise<void> {
  let isOver = false;
  over.then(() => {
    isOver = true;
  });
  for await (const chunk of input) {
    if (isOver) return;
    if (stdin.write(chunk)) continue;
    await Promise.race([new Promise<void>((resolve) => stdin.once('drain', resolve)), over]);
  }
  stdin.end();
}

/** Ends the processes of a tool that an engine before this one left at work. */
export async function endTools(init: InitApi, name: string): Promise<void> {
  for (const { key } of init.processes()) {
    if (!key.startsWith(`${name}.`)) continue;
    await init.signal(key, SIGKILL).catch(() => undefined);
    await init
      .waitExit(key, AbortSignal.timeout(END_PATIENCE))
      .then(() => init.forget(key))
      .catch((error: unknown) => {
        throw new SystemError(`a process of the engine's does not end: ${messageOf(error)}`, {
          cause: error,
        });
      });
  }
}

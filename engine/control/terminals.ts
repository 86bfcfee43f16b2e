// Terminals of the lab host: login shells that berth-init holds, named by whoever opened them.

import type { CreateTerminal, TerminalInfo, TerminalSize } from '../client/types.ts';
import { Conflict, NotFound } from '../errors.ts';
import { SANDBOX_PATH } from '../runtime/sandbox-spec.ts';
import type { InitApi, ProcessState } from '../sandbox/init-types.ts';
import { StartFailed } from '../sandbox/init-types.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

const PREFIX = 'terminal.';
const SIGHUP = 1;
const SIGKILL = 9;
const EEXIST = 17;
/** What a shell gets to end by itself when its terminal is closed. */
const HANGUP_PATIENCE = 500;
const MAX_TERMINALS = 32;

/** The environment of a login on the lab host. */
export const LOGIN_ENVIRONMENT: readonly string[] = [
  `PATH=${SANDBOX_PATH}`,
  'HOME=/root',
  'USER=root',
  'LOGNAME=root',
  'SHELL=/bin/bash',
  'LANG=C.UTF-8',
];

function toInfo(process: ProcessState): TerminalInfo {
  return {
    id: process.key.slice(PREFIX.length),
    state: process.state,
    ...(process.state === 'ended' ? { exitCode: process.status } : {}),
  };
}

export function terminalKey(id: string): string {
  return PREFIX + id;
}

function known(init: InitApi, id: string): ProcessState {
  const process = init.process(terminalKey(id));
  if (!process) throw new NotFound(`no such terminal: ${id}`);
  return process;
}

export function listTerminals(sandbox: Sandbox): TerminalInfo[] {
  return sandbox.init
    .processes()
    .filter((process) => process.key.startsWith(PREFIX))
    .map(toInfo);
}

export function getTerminal(sandbox: Sandbox, id: string): TerminalInfo {
  return toInfo(known(sandbox.init, id));
}

/** Starts a login shell (or argv) in a new terminal; the same id again answers with the one that is there. */
export async function createTerminal(sandbox: Sandbox, request: CreateTerminal): Promise<TerminalInfo> {
  const { init } = sandbox;
  const key = terminalKey(request.id);
  const there = init.process(key);
  if (there) return toInfo(there);
  if (listTerminals(sandbox).length >= MAX_TERMINALS) {
    throw new Conflict(`sandbox ${sandbox.name} has ${MAX_TERMINALS} terminals: close one first`);
  }
  const { rows, cols } = request;
  try {
    await init.start([], {
      key,
      terminal: true,
      openStdin: true,
      argv: request.argv ?? ['bash', '-l'],
      env: [...LOGIN_ENVIRONMENT, 'TERM=xterm-256color'],
      cwd: request.cwd ?? '/root',
      rows,
      cols,
    });
  } catch (error) {
    if (!(error instanceof StartFailed && error.errno === EEXIST)) throw error;
  }
  return { id: request.id, state: 'running' };
}

export async function resizeTerminal(sandbox: Sandbox, id: string, size: TerminalSize): Promise<void> {
  known(sandbox.init, id);
  await sandbox.init.resize(terminalKey(id), size.rows, size.cols);
}

/** Hangs up, kills what does not go by itself, and forgets the terminal. */
export async function deleteTerminal(sandbox: Sandbox, id: string): Promise<void> {
  const { init } = sandbox;
  const key = terminalKey(id);
  if (known(init, id).state === 'running') {
    for (const signal of [SIGHUP, SIGKILL]) {
      await init.signal(key, signal, { group: true }).catch(ignoreEnded);
      if (await endsWithin(init, key, signal === SIGHUP ? HANGUP_PATIENCE : 5000)) break;
    }
  }
  await init.forget(key);
}

function ignoreEnded(error: unknown): void {
  if (!(error instanceof NotFound)) throw error;
}

async function endsWithin(init: InitApi, key: string, milliseconds: number): Promise<boolean> {
  const late = AbortSignal.timeout(milliseconds);
  try {
    await init.waitExit(key, late);
    return true;
  } catch (error) {
    if (late.aborted) return false;
    ignoreEnded(error);
    return true;
  }
}

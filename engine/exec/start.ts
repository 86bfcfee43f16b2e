// docker exec, second half: the process is started in the container, and its end is noted.

import type { Container } from '../container/container.ts';
import { execFailedText, explainStartFailure } from '../container/failure.ts';
import { bundleDir, consoleSocket } from '../container/files.ts';
import type { ContainerParts } from '../container/parts.ts';
import { parseSecurityOptions } from '../container/security.ts';
import { capabilitiesOf, environment, processCapabilities } from '../container/spec.ts';
import { resolveUser } from '../container/user.ts';
import { Conflict, InvalidParameter, SystemError } from '../errors.ts';
import { SANDBOX_CAPABILITIES } from '../runtime/capabilities.ts';
import type { OciProcess } from '../runtime/oci.ts';
import { runtimeCommand } from '../runtime/runtimes.ts';
import { type Attachment, type ProcessSpec, type ProcessState, StartFailed } from '../sandbox/init-types.ts';
import { commandOf, publishExec, requireRunning } from './create.ts';
import type { ExecParts } from './parts.ts';
import type { Exec, ExecConfig } from './store.ts';

export function execKey(exec: Exec): string {
  return `exec.${exec.id}`;
}

/** A started exec: attached, unless nobody listens. */
export interface StartedExec {
  attachment: Attachment | undefined;
}

/** Throws NotFound, or Conflict when it was started before or the container does not run. */
export function claimExec(parts: ExecParts, exec: Exec): Container {
  if (exec.state === 'running') throw new Conflict(`Error: Exec command ${exec.id} is already running`);
  if (exec.state === 'ended') throw new Conflict(`Error: Exec command ${exec.id} has already run`);
  const container = parts.containers.get(exec.containerId);
  requireRunning(container);
  exec.state = 'running';
  parts.execs.keep(exec);
  return container;
}

/** Makes the process known and connects to it, so that nothing of its output is missed. */
export async function attachExec(parts: ExecParts, exec: Exec): Promise<Attachment> {
  const { config } = exec;
  await parts.sandbox.init.reserve(processSpec(exec, false));
  return parts.sandbox.init.attach(execKey(exec), {
    stdin: config.attachStdin,
    stdout: config.attachStdout,
    stderr: config.attachStderr,
    stdinOnce: true,
  });
}

/** Looks up what the process of a claimed exec is made of; the caller may do something else meanwhile. */
export function prepareExec(parts: ExecParts, container: Container, exec: Exec): Promise<OciProcess> {
  const prepared = execProcess(parts, container, exec.config);
  // whoever runs it hears of a failure
  prepared.catch(() => undefined);
  return prepared;
}

/** Runs a claimed exec. When it cannot be started, it has ended with 126 or 127, and the error says why. */
export async function runExec(
  parts: ExecParts,
  container: Container,
  exec: Exec,
  prepared: Promise<OciProcess>,
  isDetached: boolean,
): Promise<void> {
  const { init } = parts.sandbox;
  publishExec(parts, container, exec, `exec_start: ${commandOf(exec)}`);
  const directory = `${bundleDir(container.id)}/exec`;
  const file = `${directory}/${exec.id}.json`;
  const process = processSpec(exec, isDetached);
  try {
    const ociProcess = await prepared;
    const { pid } = await init.start(
      [
        { kind: 'mkdir', path: directory, mode: 0o700 },
        { kind: 'write', path: file, data: JSON.stringify(ociProcess), mode: 0o600 },
        {
          kind: 'exec',
          argv: crunExec(container, file, exec.config.tty ? consoleSocket(exec.id) : undefined),
        },
      ],
      process,
    );
    exec.pid = pid;
    if (exec.state === 'running') void parts.execs.record(exec);
  } catch (error) {
    const failure = explainStartFailure(error);
    exec.exitCode = failure.exitCode === 127 ? 127 : 126;
    exec.state = 'ended';
    parts.execs.expire(exec);
    void parts.execs.record(exec);
    await init.forget(execKey(exec)).catch(() => undefined);
    if (!(error instanceof StartFailed)) throw error;
    const text = execFailedText(failure);
    throw failure.isInvalid
      ? new InvalidParameter(text, { cause: error })
      : new SystemError(text, { cause: error });
  }
}

function processSpec(exec: Exec, isDetached: boolean): ProcessSpec {
  const { tty, attachStdin, consoleSize } = exec.config;
  const base = `${bundleDir(exec.containerId)}/exec/${exec.id}`;
  const [rows, cols] = consoleSize ?? [0, 0];
  return {
    key: execKey(exec),
    terminal: tty,
    openStdin: attachStdin,
    stdinOnce: attachStdin,
    discard: isDetached,
    ...(tty && rows && cols ? { rows, cols } : {}),
    adopt: { pidFile: `${base}.pid`, ...(tty ? { consoleSocket: consoleSocket(exec.id) } : {}) },
  };
}

/** The command that runs the process described in `file`, and writes its pid beside it. */
export function crunExec(container: Container, file: string, console?: string): string[] {
  const base = file.replace(/\.json$/, '');
  return runtimeCommand(
    container.record.hostConfig.Runtime,
    'exec',
    '--detach',
    `--process=${file}`,
    `--pid-file=${base}.pid`,
    ...(console === undefined ? [] : [`--console-socket=${console}`]),
    container.id,
  );
}

/** What the process of an exec is made of, by the container's accounts and rights as they are now. */
export async function execProcess(
  parts: Pick<ContainerParts, 'accounts'>,
  container: Container,
  config: ExecConfig,
): Promise<OciProcess> {
  const { record } = container;
  const accounts = await parts.accounts.read(record, true);
  const user = resolveUser(
    config.user || record.config.User,
    accounts.passwd,
    accounts.group,
    record.hostConfig.GroupAdd ?? [],
  );
  const capabilities = config.privileged ? [...SANDBOX_CAPABILITIES] : capabilitiesOf(record.hostConfig);
  const [height, width] = config.consoleSize ?? [0, 0];
  return {
    terminal: config.tty,
    ...(config.tty && height && width ? { consoleSize: { height, width } } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: config.argv,
    env: environment(record, user.home, config.tty, config.env),
    cwd: config.workingDir || record.config.WorkingDir || '/',
    capabilities: processCapabilities(capabilities, user.uid),
    noNewPrivileges: parseSecurityOptions(record.hostConfig.SecurityOpt ?? []).noNewPrivileges,
  };
}

/** Notes the end of every exec from now on; returns what ends it. */
export function watchExecExits(parts: ExecParts): () => void {
  return parts.sandbox.init.onExit((process) => {
    const id = /^exec\.([0-9a-f]{64})$/.exec(process.key)?.[1];
    if (id !== undefined) noteExit(parts, id, process);
  });
}

/** Notes an end, and once it is recorded berth-init need not remember it any more. */
export function noteExit(parts: ExecParts, id: string, process: Pick<ProcessState, 'key' | 'status'>): void {
  const forget = () => parts.sandbox.init.forget(process.key).catch(() => undefined);
  const exec = parts.execs.find(id);
  if (!exec) {
    void forget();
    return;
  }
  exec.state = 'ended';
  exec.exitCode = process.status;
  parts.execs.expire(exec);
  void parts.execs.record(exec).then(forget);
  const container = parts.containers.byFullId(exec.containerId);
  if (container) publishExec(parts, container, exec, 'exec_die', { exitCode: String(process.status) });
}

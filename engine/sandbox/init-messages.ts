// Requests to berth-init as bytes, and its replies and events as data.

import {
  BadGateway,
  Conflict,
  type EngineError,
  InvalidParameter,
  NotFound,
  SystemError,
  Unavailable,
} from '../errors.ts';
import { Fields, FieldWriter, Tag, violation } from './init-codec.ts';
import { type DnsQuery, type ProcessSpec, type ProcessState, StartFailed, type Step } from './init-types.ts';

const EXEC_TIMEOUT = 30_000;
const KEY = /^[A-Za-z0-9_.-]{1,80}$/;

const StepKind = {
  mkdir: 1,
  write: 2,
  symlink: 3,
  mount: 4,
  umount: 5,
  rmtree: 6,
  rmcgroup: 7,
  netns: 8,
  exec: 9,
  chdir: 10,
  netnsRemove: 11,
} as const;

const StartFlag = {
  TERMINAL: 1,
  OPEN_STDIN: 2,
  STDIN_ONCE: 4,
  ADOPT: 8,
  DISCARD: 16,
  RESERVE: 32,
  LOG_COMPRESS: 64,
} as const;

/** errno(3) numbers that berth-init answers with, on the architectures that Berth runs on. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EIO: 5,
  EAGAIN: 11,
  EEXIST: 17,
  ENOTDIR: 20,
  EINVAL: 22,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ELOOP: 40,
  EHOSTUNREACH: 113,
  ENETUNREACH: 101,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
} as const;

function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
}

function writeStep(step: Step): Buffer {
  const w = new FieldWriter();
  switch (step.kind) {
    case 'mkdir':
      w.string(Tag.PATH, step.path).u32(Tag.MODE, step.mode ?? 0o755);
      w.optional(step.uid, (uid) => w.u32(Tag.UID, uid)).optional(step.gid, (gid) => w.u32(Tag.GID, gid));
      break;
    case 'write':
      w.string(Tag.PATH, step.path)
        .u32(Tag.MODE, step.mode ?? 0o644)
        .bytes(Tag.BYTES, bytesOf(step.data));
      if (step.plain) w.u32(Tag.FLAGS, 1);
      break;
    case 'symlink':
      w.string(Tag.TARGET, step.target).string(Tag.PATH, step.path);
      break;
    case 'mount':
      w.string(Tag.SOURCE, step.source).string(Tag.PATH, step.path).string(Tag.FSTYPE, step.fstype);
      w.u64(Tag.FLAGS, step.flags ?? 0).string(Tag.DATA, step.data ?? '');
      break;
    case 'exec':
      w.strings(Tag.ARG, step.argv).strings(Tag.ENV, step.env);
      w.optional(step.stdin, (stdin) => w.bytes(Tag.BYTES, bytesOf(stdin)));
      w.optional(step.netns, (netns) => w.string(Tag.NETNS, netns));
      w.u32(Tag.TIMEOUT, step.timeout ?? EXEC_TIMEOUT);
      break;
    default:
      w.string(Tag.PATH, step.path);
  }
  return Buffer.concat([Buffer.of(StepKind[step.kind]), w.finish()]);
}

function startFlags(process: ProcessSpec, reserve: boolean): number {
  const chosen: [boolean | undefined, number][] = [
    [process.terminal, StartFlag.TERMINAL],
    [process.openStdin, StartFlag.OPEN_STDIN],
    [process.stdinOnce, StartFlag.STDIN_ONCE],
    [process.adopt !== undefined, StartFlag.ADOPT],
    [process.discard, StartFlag.DISCARD],
    [reserve, StartFlag.RESERVE],
    [process.logRotation?.compresses, StartFlag.LOG_COMPRESS],
  ];
  return chosen.reduce((flags, [is, flag]) => (is ? flags | flag : flags), 0);
}

/** The fields of START. */
export function startRequest(steps: readonly Step[], process?: ProcessSpec, reserve = false): Buffer {
  const w = new FieldWriter();
  for (const step of steps) w.bytes(Tag.STEP, writeStep(step));
  if (!process) return w.finish();
  w.string(Tag.KEY, checkKey(process.key)).u32(Tag.FLAGS, startFlags(process, reserve));
  w.strings(Tag.ARG, process.argv).strings(Tag.ENV, process.env);
  w.optional(process.cwd, (cwd) => w.string(Tag.CWD, cwd));
  w.optional(process.uid, (uid) => w.u32(Tag.UID, uid)).optional(process.gid, (gid) => w.u32(Tag.GID, gid));
  for (const group of process.groups ?? []) w.u32(Tag.GROUP, group);
  w.optional(process.rows, (rows) => w.u32(Tag.ROWS, rows)).optional(process.cols, (cols) =>
    w.u32(Tag.COLS, cols),
  );
  w.optional(process.adopt?.pidFile, (file) => w.string(Tag.PIDFILE, file));
  w.optional(process.adopt?.consoleSocket, (file) => w.string(Tag.CONSOLE, file));
  w.optional(process.log, (file) => w.string(Tag.LOG, file));
  w.optional(process.logRotation, ({ size, files }) => w.u64(Tag.LOG_SIZE, size).u32(Tag.LOG_FILES, files));
  w.optional(process.logAttrs, (attrs) => w.string(Tag.LOG_ATTRS, attrs));
  w.optional(process.ring, (size) => w.u32(Tag.RING, size));
  w.optional(process.cgroup, (directory) => w.string(Tag.CGROUP, directory));
  return w.finish();
}

/** How long a START may take at most, when all its programs use the time they have. */
export function startTimeout(steps: readonly Step[]): number {
  return steps.reduce(
    (sum, step) => sum + (step.kind === 'exec' ? (step.timeout ?? EXEC_TIMEOUT) : 0),
    15_000,
  );
}

export function checkKey(key: string): string {
  if (!KEY.test(key)) throw new InvalidParameter(`"${key}" is not a process key`);
  return key;
}

/** A REPLY's fields when it says success; throws what it says otherwise. */
export function readReply(body: Buffer, subject: string): Fields {
  const fields = new Fields(body);
  const errno = fields.u32(Tag.ERRNO);
  if (errno === undefined) throw violation('a reply without ERRNO');
  if (errno !== 0) throw replyError(errno, subject, fields);
  return fields;
}

function replyError(errno: number, subject: string, fields: Fields): Error {
  const text = (fields.string(Tag.TEXT) ?? '').slice(0, 8192);
  if (subject === 'start') {
    return new StartFailed(fields.i32(Tag.STEP_INDEX) ?? -1, errno, fields.i32(Tag.EXIT) ?? -1, text);
  }
  return errorOf(errno, `${subject}: ${text || `errno ${errno}`}`);
}

function errorOf(errno: number, message: string): EngineError {
  switch (errno) {
    case Errno.ENOENT:
    case Errno.ESRCH:
    case Errno.ENOTDIR:
      return new NotFound(message);
    case Errno.EEXIST:
      return new Conflict(message);
    case Errno.EINVAL:
    case Errno.ENAMETOOLONG:
    case Errno.ELOOP:
      return new InvalidParameter(message);
    case Errno.ECONNREFUSED:
    case Errno.EHOSTUNREACH:
    case Errno.ENETUNREACH:
    case Errno.ETIMEDOUT:
      return new BadGateway(message);
    case Errno.EAGAIN:
      return new Unavailable(message);
    default:
      return new SystemError(message);
  }
}

/** A DNS_QUERY event. */
export function readDnsQuery(body: Buffer): DnsQuery {
  const fields = new Fields(body);
  const netns = fields.string(Tag.NETNS);
  const query = fields.u32(Tag.QUERY);
  const message = fields.bytes(Tag.BYTES);
  if (netns === undefined || query === undefined || !message) throw violation('a question without its parts');
  // What is kept of a frame must not keep the whole of what came with it.
  return { netns, query, message: Buffer.from(message) };
}

/** A PROCESS or EXIT event. */
export function readProcess(body: Buffer): ProcessState {
  const fields = new Fields(body);
  const key = fields.string(Tag.KEY);
  const state = fields.u32(Tag.STATE);
  const status = fields.i32(Tag.STATUS) ?? 0;
  if (key === undefined || !KEY.test(key)) throw violation('a process without a proper key');
  if (state !== 1 && state !== 2) throw violation(`process state ${state}`);
  return {
    key,
    pid: fields.u32(Tag.PID) ?? 0,
    state: state === 1 ? 'running' : 'ended',
    status: status & 0xff,
    started: fields.u64(Tag.STARTED) ?? 0n,
    finished: fields.u64(Tag.FINISHED) ?? 0n,
    oomKilled: fields.u32(Tag.OOM) === 1,
  };
}

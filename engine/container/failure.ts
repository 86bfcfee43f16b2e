// What a failed start means: crun's words turned into those that Docker's clients know, and the exit code they imply.

import { type EngineError, InvalidParameter, messageOf, SystemError } from '../errors.ts';
import { StartFailed } from '../sandbox/init-types.ts';

/** Why a process could not be started. */
export interface StartFailure {
  /** 127 not found, 126 cannot be run, 128 anything else: State.ExitCode as Docker sets it */
  exitCode: number;
  text: string;
  /** the request's fault (400) or ours (500) */
  isInvalid: boolean;
}

interface Pattern {
  crun: RegExp;
  exitCode: number;
  /** with `$1` for what the pattern captured */
  text: string;
}

const PATTERNS: readonly Pattern[] = [
  {
    crun: /executable file [`'"](.+?)[`'"] not found in \$PATH/,
    exitCode: 127,
    text: 'exec: "$1": executable file not found in $PATH: unknown',
  },
  {
    crun: /executable file [`'"](.+?)[`'"] not found/,
    exitCode: 127,
    text: 'exec: "$1": stat $1: no such file or directory: unknown',
  },
  {
    crun: /the path [`'"](.+?)[`'"] is not a regular file/,
    exitCode: 126,
    text: 'exec: "$1": is a directory: unknown: permission denied',
  },
  {
    crun: /the path [`'"](.+?)[`'"] exists but it is not executable/,
    exitCode: 126,
    text: 'exec: "$1": permission denied: unknown',
  },
  {
    crun: /exec container process [`'"](.+?)[`'"]: No such file/,
    exitCode: 127,
    text: 'exec $1: no such file or directory: unknown',
  },
  {
    crun: /exec container process [`'"](.+?)[`'"]: Permission denied/,
    exitCode: 126,
    text: 'exec $1: permission denied: unknown',
  },
  {
    crun: /exec container process [`'"](.+?)[`'"]: Exec format error/,
    exitCode: 126,
    text: 'exec $1: exec format error: unknown',
  },
  {
    crun: /chdir to [`'"](.+?)[`'"]: No such file or directory/,
    exitCode: 126,
    text: 'chdir to cwd ("$1") set in config.json failed: no such file or directory: unknown',
  },
  {
    crun: /chdir to [`'"](.+?)[`'"]: Not a directory/,
    exitCode: 126,
    text: 'chdir to cwd ("$1") set in config.json failed: not a directory: unknown',
  },
];

/** Reads the failure of a START whose last step was crun. */
export function explainStartFailure(error: unknown): StartFailure {
  if (!(error instanceof StartFailed)) return { exitCode: 128, text: messageOf(error), isInvalid: false };
  const said = error.text.trim();
  for (const { crun, exitCode, text } of PATTERNS) {
    const match = crun.exec(said);
    if (match) return { exitCode, text: text.replaceAll('$1', () => match[1] ?? ''), isInvalid: true };
  }
  return { exitCode: 128, text: said || error.message, isInvalid: false };
}

const CREATE = 'failed to create task for container: failed to create shim task: OCI runtime create failed: ';
const START = 'unable to start container process: ';

/** The answer to a start that crun refused. */
export function createFailed(failure: StartFailure): EngineError {
  const directory = /^chdir to cwd \("(.+)"\) .*: not a directory/.exec(failure.text)?.[1];
  if (directory !== undefined) return new InvalidParameter(`Cannot mkdir: ${directory} is not a directory`);
  return failure.isInvalid
    ? new InvalidParameter(`${CREATE}${START}${failure.text}`)
    : new SystemError(`${CREATE}${failure.text}`);
}

/** What an exec that crun refused prints. */
export function execFailedText(failure: StartFailure): string {
  return `OCI runtime exec failed: exec failed: ${failure.isInvalid ? START : ''}${failure.text}`;
}

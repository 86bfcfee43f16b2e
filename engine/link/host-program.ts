// Running the host's own ip and nft: short-lived, without a shell, with their complaint in the error.

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { SystemError } from '../errors.ts';

const TIMEOUT = 10_000;

/** Runs a program to its end. Throws SystemError with what it said when it fails. */
export async function runHostProgram(argv: readonly string[], stdin = ''): Promise<string> {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { stdio: 'pipe', cwd: '/', timeout: TIMEOUT, killSignal: 'SIGKILL' });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // A program that does not read its input to the end says why by its exit code.
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  const [out, complaint, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0) throw new SystemError(`${argv.join(' ')}: ${complaint.trim() || `exit code ${code}`}`);
  return out;
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ISOLATION, runProgram } from './program.ts';

const isRoot = process.getuid?.() === 0;

describe('runProgram', () => {
  it('gives standard output, and each line as it comes', async () => {
    const lines: string[] = [];
    const options = { onLine: (line: string) => lines.push(line) };
    expect(await runProgram(['sh', '-c', 'echo one; echo two'], options)).toBe('one\ntwo');
    expect(lines).toEqual(['one', 'two']);
  });

  it('says which program failed, how, and what it last wrote', async () => {
    await expect(runProgram(['sh', '-c', 'echo what >&2; exit 3'])).rejects.toThrow(
      /sh failed with exit code 3\n {2}what/,
    );
    await expect(runProgram(['/no/such'])).rejects.toThrow('/no/such could not be run');
  });

  it('ends when asked to', async () => {
    const abort = new AbortController();
    const running = runProgram(['sleep', '60'], { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
  });

  it.skipIf(!isRoot)('leaves no process behind when isolated and killed with -9 [root]', async () => {
    const seconds = `${1000 + process.pid}.5`;
    const argv = [...ISOLATION, 'sh', '-c', `sleep ${seconds} & sleep ${seconds}`];
    const code = `require('node:child_process').spawn(${JSON.stringify(argv[0])}, ${JSON.stringify(argv.slice(1))}, { stdio: 'ignore' })`;
    const parent = spawn(process.execPath, ['-e', code]);
    const isRunning = async (): Promise<boolean> =>
      (await runProgram(['ps', '-eo', 'args'])).split('\n').includes(`sleep ${seconds}`);
    while (!(await isRunning())) await sleep(50);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await sleep(300);
    expect(await isRunning()).toBe(false);
  });
});

// The part of berth-init that contexts need, done on this host in a directory of the test's: the real `berth-init layer`, no sandbox.

import { type ChildProcess, spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { NotFound } from '../../errors.ts';
import type { Attachment, InitApi, ProcessSpec, ProcessState, Step } from '../../sandbox/init-types.ts';

function unsupported(): never {
  throw new Error('not in this test');
}

/** @param root stands for the sandbox's `/` */
export function localInit(program: string, root: string): InitApi {
  const running = new Map<string, { child: ChildProcess; exit: Promise<ProcessState> }>();
  const under = (name: string) => path.join(root, name);
  const get = (key: string) => {
    const found = running.get(key);
    if (!found) throw new NotFound(`no such process: ${key}`);
    return found;
  };
  const step = async (each: Step) => {
    if (each.kind === 'mkdir') await mkdir(under(each.path), { recursive: true });
    else if (each.kind === 'rmtree') await rm(under(each.path), { recursive: true, force: true });
    else unsupported();
  };
  return {
    async start(steps) {
      for (const each of steps) await step(each);
      return { pid: 0 };
    },
    async reserve({ key, argv = [] }: ProcessSpec) {
      const [, ...args] = argv.map((word) => (word.startsWith('/var/') ? under(word) : word));
      const child = spawn(program, args, { argv0: 'berth-init', stdio: ['pipe', 'pipe', 'pipe'] });
      child.stdin.on('error', () => undefined);
      const exit = new Promise<ProcessState>((resolve) => {
        child.once('close', (code) => {
          const status = code ?? 137;
          resolve({ key, pid: 0, state: 'ended', status, started: 0n, finished: 0n, oomKilled: false });
        });
      });
      running.set(key, { child, exit });
    },
    async attach(key): Promise<Attachment> {
      const { child } = get(key);
      const { stdin, stdout, stderr } = child;
      if (!stdin || !stdout || !stderr) throw new Error('the process has no pipes');
      async function* output() {
        const said: Buffer[] = [];
        stderr?.on('data', (chunk: Buffer) => said.push(chunk));
        for await (const data of stdout ?? []) yield { stream: 'stdout' as const, data };
        if (said.length > 0) yield { stream: 'stderr' as const, data: Buffer.concat(said) };
      }
      return { stdin, output: output(), close: () => undefined };
    },
    async signal(key) {
      get(key).child.kill('SIGKILL');
    },
    waitExit: (key) => get(key).exit,
    async forget(key) {
      running.delete(key);
    },
    async readFile(name, options = {}) {
      const { size, mode, uid, gid, ino } = await stat(under(name));
      const body = createReadStream(under(name), { end: (options.limit ?? size) - 1 });
      return { size, mode, uid, gid, mtime: 0n, inode: BigInt(ino), body };
    },
    dial: unsupported,
    resize: unsupported,
    process: unsupported,
    processes: () => [],
    listenDns: unsupported,
    onDnsQuery: unsupported,
    answerDns: unsupported,
    onExit: unsupported,
  };
}

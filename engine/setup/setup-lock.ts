// One set-up at a time for a data directory: the kernel's lock on a file, which ends with its holder.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

/** Runs `work` while holding the lock; waits for another set-up to end first. */
export async function withSetupLock(dataDir: string, work: () => Promise<void>): Promise<void> {
  // Node has no flock(2). The program that holds it ends when our end of its input closes, however we end.
  const file = path.join(dataDir, 'setup.lock');
  const holder = spawn('flock', [file, 'sh', '-c', 'echo locked; cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'close');
  const locked = await Promise.race([once(holder.stdout, 'data').then(() => true), ended.then(() => false)]);
  if (!locked) throw new Error(`${file} cannot be locked`);
  try {
    await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}

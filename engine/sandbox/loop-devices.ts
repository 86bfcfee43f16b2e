// Which loop devices still hold a file: a disk is free only when its device is gone.

import { readdir, readFile } from 'node:fs/promises';
import { sleep } from '../runtime/cgroup-files.ts';

/** Names (loop0 …) of the devices backed by this file, also when it was deleted. */
export async function loopDevicesOf(file: string): Promise<string[]> {
  const names = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
  const backing = await Promise.all(
    names.map((name) => readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '')),
  );
  return names.filter((_, index) => backing[index]?.trim().replace(/ \(deleted\)$/, '') === file);
}

/** Waits until no loop device holds the file: they clear themselves when the last mount is gone. */
export async function waitForLoopDetach(file: string, timeout = 5000): Promise<void> {
  const deadline = Date.now() + timeout;
  for (let pause = 2; (await loopDevicesOf(file)).length > 0; pause = Math.min(pause * 2, 100)) {
    if (Date.now() > deadline) throw new Error(`${file} is still attached to a loop device`);
    await sleep(pause);
  }
}

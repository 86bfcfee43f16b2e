// An image of one program of the host's own, with the libraries that it is linked with.

import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type DockerCli, runCommand } from './docker.ts';

export interface ProgramImage {
  name: string;
  /** path of the program, on the host and in the image */
  program: string;
  /** what else is in there: texts by path */
  files?: Record<string, string>;
  /** empty directories besides, by path; `/tmp` is always there */
  directories?: readonly string[];
  /** arguments that the program is started with when the user gives none */
  cmd?: readonly string[];
}

/** Imports the image into a daemon. */
export async function importProgram(docker: DockerCli, image: ProgramImage): Promise<void> {
  const { program, files = {}, directories = [], cmd = [] } = image;
  const work = await mkdtemp(path.join(os.tmpdir(), 'berth-program-'));
  const root = path.join(work, 'root');
  const put = async (file: string, write: (to: string) => Promise<void>) => {
    const to = path.join(root, file);
    await mkdir(path.dirname(to), { recursive: true });
    await write(to);
  };
  try {
    const libraries = (await runCommand(['ldd', program])).stdout.matchAll(/(\/\S+) \(0x/g);
    for (const [, file = ''] of [['', program], ...libraries]) await put(file, (to) => copyFile(file, to));
    for (const [file, text] of Object.entries(files)) await put(file, (to) => writeFile(to, text));
    for (const directory of ['/tmp', ...directories]) {
      await mkdir(path.join(root, directory), { recursive: true });
    }
    const archive = path.join(work, 'image.tar');
    const packed = await runCommand(['tar', '-C', root, '-cf', archive, '.']);
    if (packed.code !== 0) throw new Error(packed.stderr);
    await docker.ok(
      ...['import', '-c', `ENTRYPOINT ${JSON.stringify([program])}`],
      ...['-c', `CMD ${JSON.stringify(cmd)}`, archive, image.name],
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

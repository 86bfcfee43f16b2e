// A network namespace of the host's side, kept by a file: a room for links in which nothing else of the host is.

import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runHostProgram } from './host-program.ts';

export class LinkNamespace {
  constructor(readonly file: string) {}

  /** Makes it when it is not there; true when it was made now. */
  async make(): Promise<boolean> {
    if (await this.exists()) return false;
    await mkdir(path.dirname(this.file), { recursive: true, mode: 0o700 });
    await writeFile(this.file, '', { mode: 0o600 });
    await runHostProgram(['unshare', `--net=${this.file}`, 'true']);
    return true;
  }

  /** The file of a namespace is on nsfs; before it was mounted, or after a reboot, it is an empty file or nothing. */
  async exists(): Promise<boolean> {
    try {
      const [file, folder] = await Promise.all([stat(this.file), stat(path.dirname(this.file))]);
      return file.dev !== folder.dev;
    } catch {
      return false;
    }
  }

  /** Runs a program of the host in it; only the network is another. */
  run(argv: readonly string[], stdin = ''): Promise<string> {
    return runHostProgram(['nsenter', `--net=${this.file}`, ...argv], stdin);
  }

  /** Lines of `ip -batch`, all or up to the first that fails. */
  async ip(...lines: string[]): Promise<void> {
    await this.run(['ip', '-batch', '-'], lines.map((line) => `${line}\n`).join(''));
  }

  async setSysctls(values: Readonly<Record<string, string>>): Promise<void> {
    const script = Object.entries(values)
      .map(([name, value]) => `echo ${value} >/proc/sys/${name}`)
      .join(' && ');
    await this.run(['sh', '-c', script]);
  }

  /** Its links go with it. */
  async remove(): Promise<void> {
    if (await this.exists()) await runHostProgram(['umount', this.file]);
    await rm(this.file, { force: true });
  }
}

// The unprivileged system user that the server runs as.

import fs from 'node:fs/promises';
import { runProgram } from './program.ts';

const NAME = 'berth';

export interface ServerUser {
  uid: number;
  gid: number;
}

/** The user, or undefined before set-up has made it. */
export async function findServerUser(): Promise<ServerUser | undefined> {
  const line = (await fs.readFile('/etc/passwd', 'utf8'))
    .split('\n')
    .find((entry) => entry.startsWith(`${NAME}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

export async function createServerUser(): Promise<void> {
  await runProgram([
    ...['useradd', '--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent'],
    ...['--shell', '/usr/sbin/nologin', '--comment', 'Berth server', NAME],
  ]);
}

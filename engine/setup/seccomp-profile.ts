// Docker's default seccomp profile, as Debian's golang-github-containers-common ships it.

import fs from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { runProgram } from './program.ts';
import { writeWhole } from './stamp.ts';

const PACKAGE = 'golang-github-containers-common';
const IN_PACKAGE = 'usr/share/containers/seccomp.json';

const Profile = z.looseObject({ defaultAction: z.string(), syscalls: z.array(z.unknown()).min(1) });

/** BERTH_DATA/seccomp.json */
export function seccompProfilePath(dataDir: string): string {
  return path.join(dataDir, 'seccomp.json');
}

/** Whether a usable profile is in its place. */
export async function seccompProfileIsThere(dataDir: string): Promise<boolean> {
  const text = await fs.readFile(seccompProfilePath(dataDir), 'utf8').catch(() => '{}');
  return Profile.safeParse(parseOrUndefined(text)).success;
}

/** Takes the profile out of the package; the package and its dependencies are not installed. */
export async function fetchSeccompProfile(
  dataDir: string,
  workDir: string,
  signal?: AbortSignal,
): Promise<void> {
  const options = { cwd: workDir, ...(signal ? { signal } : {}) };
  await runProgram(['apt-get', 'download', PACKAGE], options).catch(async () => {
    await runProgram(['apt-get', 'update'], options);
    await runProgram(['apt-get', 'download', PACKAGE], options);
  });
  const archive = (await fs.readdir(workDir)).find(
    (name) => name.startsWith(PACKAGE) && name.endsWith('.deb'),
  );
  if (!archive) throw new Error(`apt-get download ${PACKAGE} left no package behind`);
  await runProgram(['dpkg-deb', '--extract', archive, 'containers-common'], options);
  const text = await fs.readFile(path.join(workDir, 'containers-common', IN_PACKAGE), 'utf8');
  Profile.parse(JSON.parse(text));
  await writeWhole(seccompProfilePath(dataDir), text);
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

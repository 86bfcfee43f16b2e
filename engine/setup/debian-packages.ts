// Debian packages that the host itself needs: which are missing, and installing them without ever removing any.

import fs from 'node:fs/promises';
import { packageProgress } from './debian.ts';
import { ProgramFailed, runProgram } from './program.ts';

/** What set-up and the engine use, by package name on Debian 12, 13 and Ubuntu 24.04. */
export const HOST_PACKAGES: readonly string[] = [
  'ca-certificates',
  'crun',
  'debian-archive-keyring',
  'e2fsprogs',
  'gcc',
  'iproute2',
  'kmod',
  'libc6-dev',
  'mmdebstrap',
  'mount',
  'nftables',
  'passwd',
  'tar',
  'util-linux',
  'xz-utils',
];

/** What the tests use besides. */
export const TEST_PACKAGES: readonly string[] = [
  'busybox-static',
  'chromium',
  'docker-registry',
  'procps',
  'psmisc',
  'python3',
];

/** Used by tests when it is there, or can be had; never missed. */
export const OPTIONAL_TEST_PACKAGES: readonly string[] = ['clang', 'iperf3', 'libasan8'];

/** Those of these packages that dpkg does not have installed. */
export async function missingPackages(names: readonly string[]): Promise<string[]> {
  const status = await fs.readFile('/var/lib/dpkg/status', 'utf8').catch(() => '');
  const installed = new Set<string>();
  for (const paragraph of status.split('\n\n')) {
    const name = /^Package: (\S+)$/m.exec(paragraph)?.[1];
    if (name && /^Status: \S+ \S+ installed$/m.test(paragraph)) installed.add(name);
  }
  return names.filter((name) => !installed.has(name));
}

/** Installs packages with apt-get. Its lists are fetched anew first, since old ones name files that are gone. */
export async function installPackages(
  names: readonly string[],
  report: (detail: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const options = {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    onLine: packageProgress(report),
    ...(signal ? { signal } : {}),
  };
  const apt = ['apt-get', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Dpkg::Use-Pty=0'];
  report('asking the archive');
  try {
    await runProgram([...apt, 'update'], options);
  } catch (error) {
    // One broken source of many is none of our business, as long as the packages can be had.
    if (!(error instanceof ProgramFailed)) throw error;
  }
  await runProgram([...apt, 'install', '-y', '--no-install-recommends', '--no-remove', ...names], options);
}

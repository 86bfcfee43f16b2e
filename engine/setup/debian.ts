// Debian's archive as set-up uses it: which mirror, which key ring, how mmdebstrap is called, what date the archive has.

import fs from 'node:fs/promises';
import { runProgram } from './program.ts';

/** Where Debian packages for the lab host and the images come from. */
export interface DebianArchive {
  suite: string;
  mirror: string;
  /** absent when an own mirror was named without one for security updates */
  securityMirror?: string;
}

const DEFAULT_MIRROR = 'http://deb.debian.org/debian';
const DEFAULT_SECURITY_MIRROR = 'http://deb.debian.org/debian-security';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** The archive to use: BERTH_MIRROR and BERTH_SECURITY_MIRROR, else what the host's own apt uses when it is a Debian. */
export async function findArchive(suite: string, environment: NodeJS.ProcessEnv): Promise<DebianArchive> {
  const mirror = environment.BERTH_MIRROR;
  const securityMirror = environment.BERTH_SECURITY_MIRROR;
  if (mirror) return { suite, mirror, ...(securityMirror ? { securityMirror } : {}) };
  return {
    suite,
    mirror: mirrorOfHost(await aptSources()) ?? DEFAULT_MIRROR,
    securityMirror: securityMirror ?? DEFAULT_SECURITY_MIRROR,
  };
}

/** Finds the mirror of the main Debian archive in the text of apt's source lists (both formats). */
export function mirrorOfHost(sources: string): string | undefined {
  for (const line of sources.split('\n')) {
    const url = /^\s*(?:URIs:\s*|deb\s+(?:\[[^\]]*\]\s*)?)(https?:\/\/\S+)/.exec(line)?.[1];
    if (url && /\/debian\/?$/.test(url)) return url.replace(/\/$/, '');
  }
  return undefined;
}

async function aptSources(): Promise<string> {
  const folder = '/etc/apt/sources.list.d';
  const names = await fs.readdir(folder).catch(() => []);
  const files = ['/etc/apt/sources.list', ...names.map((name) => `${folder}/${name}`)];
  const texts = await Promise.all(
    files
      .filter((file) => /\.(list|sources)$/.test(file))
      .map((file) => fs.readFile(file, 'utf8').catch(() => '')),
  );
  return texts.join('\n');
}

/** The date of the archive's release, which the files and images made from it are dated with; today's where it cannot be asked. */
export async function archiveDate(archive: DebianArchive): Promise<Date> {
  try {
    const response = await fetch(`${archive.mirror}/dists/${archive.suite}/Release`, {
      signal: AbortSignal.timeout(10_000),
    });
    const date = new Date(/^Date: (.+)$/m.exec(await response.text())?.[1] ?? '');
    if (!Number.isNaN(date.getTime())) return date;
  } catch {
    // a mirror behind a proxy or on a disk: apt knows how to reach it, we do not need to
  }
  const today = new Date();
  today.setUTCHours(0, 0, 0, 0);
  return today;
}

/** The archive as lines of apt's sources.list. */
export function sourceLines({ suite, mirror, securityMirror }: DebianArchive): string[] {
  const lines = [`deb ${mirror} ${suite} main`];
  if (securityMirror)
    lines.push(`deb ${mirror} ${suite}-updates main`, `deb ${securityMirror} ${suite}-security main`);
  return lines;
}

/** What to put into a new root directory. */
export interface Bootstrap {
  root: string;
  variant: 'minbase' | 'extract';
  packages: readonly string[];
  exclude: readonly string[];
  include: readonly string[];
  date: Date;
}

/** Makes a root directory of Debian packages. `report` hears what is being done, and how many packages are done. */
export async function bootstrap(
  archive: DebianArchive,
  what: Bootstrap,
  report: (detail: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  await runProgram(
    [
      ...[
        'mmdebstrap',
        '--mode=root',
        '--format=directory',
        `--variant=${what.variant}`,
        `--keyring=${KEYRING}`,
        '--verbose',
      ],
      ...what.exclude.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
      ...what.include.map((pattern) => `--dpkgopt=path-include=${pattern}`),
      ...(what.packages.length > 0 ? [`--include=${what.packages.join(',')}`] : []),
      ...[archive.suite, what.root, ...sourceLines(archive)],
    ],
    {
      isolated: true,
      env: {
        SOURCE_DATE_EPOCH: String(Math.floor(what.date.getTime() / 1000)),
        DEBIAN_FRONTEND: 'noninteractive',
      },
      onLine: packageProgress(report),
      ...(signal ? { signal } : {}),
    },
  );
}

/** Turns apt's and dpkg's lines into one that says how far they are. */
export function packageProgress(report: (detail: string) => void): (line: string) => void {
  const seen = { fetched: 0, unpacked: 0, configured: 0 };
  return (line) => {
    if (/^Get:\d+ .*\.deb|^Get:\d+ \S+ \S+\/main \S+ \S+ /.test(line))
      report(`${++seen.fetched} packages fetched`);
    else if (line.startsWith('Unpacking ')) report(`${++seen.unpacked} packages unpacked`);
    else if (line.startsWith('Setting up '))
      report(`${++seen.configured} of ${seen.unpacked} packages set up`);
    else if (line.startsWith('I: ')) report(line.slice(3).replace(/\.+$/, ''));
  };
}

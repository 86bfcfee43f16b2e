// Starting a sandbox's PID 1: what berth-launch is told, and what it answers.

import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { SystemError } from '../errors.ts';
import type { CgroupDriver } from '../runtime/cgroup.ts';
import { sandboxRuntimeArgs, sandboxSpec } from '../runtime/sandbox-spec.ts';
import { writeFileAtomic } from '../store/json-file.ts';
import type { DiskTemplates } from './disk-template.ts';
import type { HostPaths, SandboxPaths } from './paths.ts';
import type { SandboxRecord } from './record.ts';

const run = promisify(execFile);
const LAUNCH_TIMEOUT = 30_000;
const INIT_ARGV = ['/usr/sbin/berth-init'];

export interface LauncherParts {
  host: HostPaths;
  cgroups: CgroupDriver;
  templates: DiskTemplates;
}

/** Puts the sandbox's cgroups, bundle and mounts in place and starts its PID 1. Returns the host pid. */
export async function launch(
  parts: LauncherParts,
  record: SandboxRecord,
  paths: SandboxPaths,
): Promise<number> {
  const [template] = await Promise.all([
    parts.templates.get(record.limits.disk),
    parts.cgroups.create(record.id, record.limits, record.uidBase),
    prepareDirectories(parts.host, paths),
  ]);
  const spec = sandboxSpec({
    hostname: record.hostname,
    uidBase: record.uidBase,
    arch: process.arch,
    init: INIT_ARGV,
  });
  await writeFileAtomic(`${paths.bundle}/config.json`, JSON.stringify(spec), { mode: 0o600 });
  const entries: [string, string][] = [
    ['socket', paths.initSocket],
    ['disk', paths.disk],
    ['template', template],
    ['image', parts.host.hostImage],
    ['layers', parts.host.layers],
    ['shared', paths.shared],
    ['init', parts.host.initBinary],
    ['bundle', paths.bundle],
    ['tree', paths.tree],
    ['uidbase', String(record.uidBase)],
    ['hide-cgroup', parts.cgroups.hideFromRuntime ? '1' : '0'],
    ...parts.cgroups.joinFiles(record.id).map((file): [string, string] => ['cgroup', file]),
    ...sandboxRuntimeArgs(record.id).map((arg): [string, string] => ['runtime', arg]),
  ];
  await writeFileAtomic(paths.launchConfig, entries.map(([key, value]) => `${key}=${value}\n`).join(''));
  return runLaunch(parts.host.launchBinary, paths.launchConfig);
}

async function prepareDirectories(host: HostPaths, paths: SandboxPaths): Promise<void> {
  await mkdir(host.layers, { recursive: true, mode: 0o755 });
  await mkdir(paths.run, { recursive: true, mode: 0o700 });
  await mkdir(paths.shared, { recursive: true, mode: 0o755 });
  await mkdir(paths.bundle, { recursive: true, mode: 0o700 });
  await mkdir(paths.tree, { recursive: true, mode: 0o700 });
}

async function runLaunch(binary: string, config: string): Promise<number> {
  try {
    const { stdout } = await run(binary, [config], {
      timeout: LAUNCH_TIMEOUT,
      killSignal: 'SIGKILL',
      cwd: '/',
    });
    const pid = Number(stdout.trim());
    if (!Number.isInteger(pid) || pid < 2) throw new Error(`berth-launch answered "${stdout.trim()}"`);
    return pid;
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    throw new SystemError(`cannot start the sandbox: ${said || String(error)}`, { cause: error });
  }
}

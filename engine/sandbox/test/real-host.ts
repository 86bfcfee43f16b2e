// Real sandboxes for tests: berth-launch and berth-init compiled once, the host image of set-up, directories of their own.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Links } from '../../link/links.ts';
import { createLogger } from '../../log.ts';
import type { CgroupDriver } from '../../runtime/cgroup.ts';
import { openCgroups } from '../../runtime/cgroup-host.ts';
import { DiskTemplates } from '../disk-template.ts';
import type { LabHost, SandboxHooks } from '../lab-host.ts';
import { type ManagerSettings, SandboxManager } from '../manager.ts';
import { type HostPaths, hostPaths } from '../paths.ts';

const exec = promisify(execFile);
const DATA = process.env.BERTH_DATA ?? '/var/lib/berth';
const HOST_IMAGE = path.join(DATA, 'host-image', 'root');

const NO_INTERNET = { policy: 'never', rate: 1, connections: 1, nameservers: [], denied: [] } as const;

/** Why real sandboxes are not possible here; undefined when they are. */
export const missing: string | undefined =
  process.getuid?.() !== 0
    ? 'needs root'
    : existsSync(HOST_IMAGE)
      ? undefined
      : `needs the host image in ${HOST_IMAGE} (berth setup makes it)`;

/** Where a test's sandboxes lie, and managers over it: several after each other are an engine that restarts. */
export class RealHost {
  readonly directory: string;
  readonly host: HostPaths;
  readonly cgroups: CgroupDriver;
  readonly cgroupParent: string;
  readonly events: string[] = [];

  private constructor(directory: string, cgroups: CgroupDriver, cgroupParent: string) {
    this.directory = directory;
    this.cgroups = cgroups;
    this.cgroupParent = cgroupParent;
    const paths = hostPaths(path.join(directory, 'data'), path.join(directory, 'run'));
    this.host = { ...paths, hostImage: HOST_IMAGE };
  }

  static async make(): Promise<RealHost> {
    const directory = await mkdtemp(path.join(await realpath(os.tmpdir()), 'berth-sb-'));
    const bin = path.join(directory, 'data', 'bin');
    const here = import.meta.dirname;
    await exec('sh', [path.join(here, '..', 'build.sh'), bin]);
    await exec('sh', [path.join(here, '..', '..', 'init', 'build.sh'), bin]);
    const cgroupParent = `berth-test-${randomBytes(4).toString('hex')}`;
    return new RealHost(directory, await openCgroups(cgroupParent), cgroupParent);
  }

  /** A manager as an engine that just started has it. */
  async manager(
    settings: Partial<ManagerSettings> = {},
    host: Partial<HostPaths> = {},
    given?: SandboxHooks,
  ): Promise<SandboxManager> {
    const hooks: SandboxHooks = given ?? {
      up: async (sandbox) => void this.events.push(`${sandbox.name} up`),
      down: async (sandbox) => void this.events.push(`${sandbox.name} down`),
      changed: (sandbox, state) => void this.events.push(`${sandbox.name} ${state}`),
    };
    // tests that run at the same time do not meet, nor an engine of this host
    const uidBase = 0x4000_0000 + (process.pid % 2048) * 0x10_0000;
    const parts = {
      links: new Links(path.join(this.directory, 'run'), uidBase, NO_INTERNET),
      host: { ...this.host, ...host },
      cgroups: this.cgroups,
      templates: new DiskTemplates(this.host.templates),
      hooks,
      log: createLogger('silent'),
    };
    const manager = new SandboxManager(parts, {
      defaults: { memory: 128 * 2 ** 20, cpus: 1, pids: 64, disk: 256 * 2 ** 20 },
      maxSandboxes: 8,
      uidBase,
      ...settings,
    });
    await manager.open();
    return manager;
  }

  /** Removes what a failed test left, so that the next one begins with nothing. */
  async clear(): Promise<void> {
    for (const id of await this.cgroups.list()) {
      await this.cgroups.kill(id);
      await this.cgroups.remove(id);
    }
    await rm(this.host.sandboxes, { recursive: true, force: true });
    await rm(this.host.running, { recursive: true, force: true });
  }

  async dispose(): Promise<void> {
    await this.clear();
    await this.cgroups.dispose();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** What the host holds of these sandboxes: everything that deleting them must take away. */
  async traces(): Promise<Record<string, string[]>> {
    const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n');
    const { stdout } = await exec('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE']);
    const below = (directory: string) => readdir(directory).catch(() => []);
    return {
      mounts: mounts.filter((line) => line.includes(this.directory)),
      loopDevices: stdout.split('\n').filter((line) => line.includes(this.directory)),
      cgroups: await this.cgroups.list(),
      data: await below(this.host.sandboxes),
      run: await below(this.host.running),
      crun: (await below('/run/crun')).filter((name) => /^[0-9a-f]{12}$/.test(name)),
    };
  }
}

/** Host pids whose ids lie in a sandbox's range; a zombie is only waiting for the host's init to reap it. */
export async function processesOf(uidBase: number): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const status = await readFile(`/proc/${name}/status`, 'utf8').catch(() => '');
    const uid = Number(/^Uid:\t(\d+)/m.exec(status)?.[1]);
    if (/^State:\tZ/m.test(status)) continue;
    if (uid >= uidBase && uid < uidBase + 65536) found.push(Number(name));
  }
  return found;
}

/** Runs a shell script in the lab host and returns what it says (both streams) and its exit code. */
export async function shell(sandbox: LabHost, script: string): Promise<{ output: string; exitCode: number }> {
  const key = `run.${randomBytes(6).toString('hex')}`;
  const spec = {
    key,
    argv: ['bash', '-c', script],
    env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root'],
    cwd: '/root',
  };
  await sandbox.init.reserve(spec);
  const attachment = await sandbox.init.attach(key, { stdout: true, stderr: true });
  await sandbox.init.start([], spec);
  let output = '';
  for await (const { data } of attachment.output) output += data.toString('utf8');
  const { status } = await sandbox.init.waitExit(key);
  await sandbox.init.forget(key);
  return { output: output.trim(), exitCode: status };
}

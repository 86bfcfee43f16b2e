// Every process of a sandbox, read from the host's /proc and told in the sandbox's own terms.

import { readdir, readFile, readlink } from 'node:fs/promises';
import { UID_RANGE } from '../runtime/sandbox-spec.ts';
import type { LabHost } from './lab-host.ts';

/** A process as the lab host would see it; container processes have pids of several namespaces. */
export interface SandboxProcess {
  pid: number;
  ppid: number;
  nspid: number[];
  comm: string;
  args: string[];
  uid: number;
  state: string;
  container: string | null;
  namespaces: Record<string, number>;
  cgroup: string;
}

const NAMESPACES = ['pid', 'mnt', 'net', 'ipc', 'uts', 'user', 'cgroup'];
const MAX_PROCESSES = 4096;
const MAX_ARGS = 256;
const MAX_ARG = 4096;
const OVERFLOW_ID = 65534;

/** Where nested containers' cgroups lie (the engine's own choice, as dockerd's cgroupfs driver has it). */
const CONTAINER = /^\/docker\/([0-9a-f]{64})(?:\/|$)/;

interface HostStatus {
  hostPid: number;
  hostPpid: number;
  fields: Map<string, string>;
  cgroup: string;
}

/** Processes in order of pid; those that end while they are being read are left out. */
export async function listProcesses(sandbox: LabHost): Promise<SandboxProcess[]> {
  const members = (await sandbox.hostProcesses()).slice(0, MAX_PROCESSES);
  const statuses: HostStatus[] = [];
  for (const { pid, cgroup } of members) {
    const status = await readStatus(pid, cgroup);
    if (status) statuses.push(status);
  }
  const labPids = new Map(statuses.map((status) => [status.hostPid, namespacePids(status)[0] ?? 0]));
  const found = await Promise.all(statuses.map((status) => describe(status, labPids, sandbox.uidBase)));
  return found.filter((process) => process !== undefined).sort((a, b) => a.pid - b.pid);
}

async function readStatus(pid: number, cgroup: string): Promise<HostStatus | undefined> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const lines = text.split('\n').map((line) => line.split(':\t'));
  const fields = new Map(lines.map(([name = '', value = '']) => [name, value.trim()]));
  return { hostPid: pid, hostPpid: Number(fields.get('PPid') ?? 0), fields, cgroup };
}

/** NSpid less the host's own. */
function namespacePids(status: HostStatus): number[] {
  return (status.fields.get('NSpid') ?? '').split(/\s+/).slice(1).map(Number);
}

async function describe(
  status: HostStatus,
  labPids: ReadonlyMap<number, number>,
  uidBase: number,
): Promise<SandboxProcess | undefined> {
  const { hostPid, fields, cgroup } = status;
  const nspid = namespacePids(status);
  const pid = nspid[0];
  const namespaces = await readNamespaces(hostPid);
  if (pid === undefined || !namespaces) return undefined;
  const hostUid = Number((fields.get('Uid') ?? '').split(/\s+/)[0]);
  const uid = hostUid - uidBase;
  return {
    pid,
    ppid: labPids.get(status.hostPpid) ?? 0,
    nspid,
    comm: fields.get('Name') ?? '',
    args: await readArgs(hostPid),
    uid: uid >= 0 && uid < UID_RANGE ? uid : OVERFLOW_ID,
    state: (fields.get('State') ?? '?').slice(0, 1),
    container: CONTAINER.exec(cgroup)?.[1] ?? null,
    namespaces,
    cgroup,
  };
}

async function readArgs(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const args = text.split('\0').slice(0, -1);
  return args.slice(0, MAX_ARGS).map((arg) => arg.slice(0, MAX_ARG));
}

async function readNamespaces(pid: number): Promise<Record<string, number> | undefined> {
  try {
    const present = new Set(await readdir(`/proc/${pid}/ns`));
    const links = await Promise.all(
      NAMESPACES.filter((name) => present.has(name)).map(async (name): Promise<[string, number]> => {
        const link = await readlink(`/proc/${pid}/ns/${name}`);
        return [name, Number(/\[(\d+)\]$/.exec(link)?.[1] ?? 0)];
      }),
    );
    return Object.fromEntries(links);
  } catch {
    return undefined;
  }
}

// `berth down`: ends the server, the engine and every lab host with all that runs in it. Disks and records stay.

import fs from 'node:fs/promises';
import path from 'node:path';
import { ControlClient } from '../client/client.ts';
import { type Command, say } from './command.ts';
import { endProcess, type Holder, readPidFile } from './pid-file.ts';
import { supervisorPidFile } from './run.ts';
import type { CliSettings } from './settings.ts';

const SUPERVISOR_PATIENCE = 25_000;
const SHUTDOWN_PATIENCE = 5_000;
const KILL_PATIENCE = 5_000;

export const down: Command = {
  usage: 'down',
  summary: 'end server, engine and all lab hosts',
  details:
    'What students wrote stays; a lab host starts again when it is next used. Containers in it do not.',
  async run(_args, settings) {
    await thawAll(settings);
    const supervisor = await readPidFile(supervisorPidFile(settings));
    if (supervisor && !(await endProcess(supervisor, 'SIGTERM', SUPERVISOR_PATIENCE))) {
      throw new Error(`pid ${supervisor.pid} does not end; its log is ${path.join(settings.dataDir, 'log')}`);
    }
    const engine = await readPidFile(path.join(settings.dataDir, 'engine.json'));
    if (engine) await endProcess(engine, 'SIGTERM', SUPERVISOR_PATIENCE);
    const hosts = await runningLabHosts(settings);
    await Promise.all(hosts.map(endLabHost));
    const ended =
      supervisor || engine ? 'Engine and server have ended' : 'Engine and server were not running';
    say(`${ended}; ${hosts.length} lab host${hosts.length === 1 ? '' : 's'} ended.`);
    return 0;
  },
};

/** A frozen process hears no signal. */
async function thawAll({ controlSocket }: CliSettings): Promise<void> {
  const client = new ControlClient(controlSocket);
  const sandboxes = await client.sandboxes().catch(() => []);
  for (const { name, state } of sandboxes) if (state === 'frozen') await client.thawSandbox(name);
  client.close();
}

/** PID 1 of each lab host, as the engine noted them. */
async function runningLabHosts({ runDir }: CliSettings): Promise<Holder[]> {
  const folder = path.join(runDir, 'sandboxes');
  const hosts: Holder[] = [];
  for (const id of await fs.readdir(folder).catch(() => [])) {
    const holder = await readPidFile(path.join(folder, id, 'runtime.json'));
    if (holder) hosts.push(holder);
  }
  return hosts;
}

async function endLabHost(holder: Holder): Promise<void> {
  if (await endProcess(holder, 'SIGTERM', SHUTDOWN_PATIENCE)) return;
  if (!(await endProcess(holder, 'SIGKILL', KILL_PATIENCE))) {
    throw new Error(`the lab host with pid ${holder.pid} does not end, even by SIGKILL`);
  }
}

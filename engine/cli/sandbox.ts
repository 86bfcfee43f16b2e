// `berth sandbox …`: lab hosts by hand.

import { parseArgs } from 'node:util';
import { ControlClient } from '../client/client.ts';
import { SandboxName } from '../client/types.ts';
import { byteSize } from '../settings.ts';
import { type Command, printTable, say, showBytes, UsageError } from './command.ts';
import { execInSandbox } from './exec.ts';
import type { CliSettings } from './settings.ts';

async function withClient<T>(settings: CliSettings, work: (client: ControlClient) => Promise<T>): Promise<T> {
  const client = new ControlClient(settings.controlSocket);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** The one name that a command takes. */
function oneName(args: string[]): string {
  const { positionals } = parseArgs({ args, allowPositionals: true, strict: true });
  const [name, ...rest] = positionals;
  if (name === undefined) throw new UsageError('which sandbox? `berth sandbox ls` lists them');
  if (rest.length > 0) throw new UsageError(`one name is enough; what is "${rest.join(' ')}"?`);
  return checkName(name);
}

function checkName(name: string): string {
  const parsed = SandboxName.safeParse(name);
  if (!parsed.success) throw new UsageError(`"${name}": ${parsed.error.issues[0]?.message ?? 'not a name'}`);
  return parsed.data;
}

function number(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new UsageError(`--${option} ${text}: not a positive number`);
  return value;
}

function size(option: string, text: string): number {
  const parsed = byteSize.safeParse(text);
  if (!parsed.success)
    throw new UsageError(`--${option}: ${parsed.error.issues[0]?.message ?? 'not a size'}`);
  return parsed.data;
}

/** A command that does one thing to one sandbox and says so. */
function onOne(
  verb: string,
  summary: string,
  work: (client: ControlClient, name: string) => Promise<unknown>,
  done: (name: string) => string,
): Command {
  return {
    usage: `sandbox ${verb} NAME`,
    summary,
    async run(args, settings) {
      const name = oneName(args);
      await withClient(settings, (client) => work(client, name));
      say(done(name));
      return 0;
    },
  };
}

const create: Command = {
  usage:
    'sandbox create NAME [--memory SIZE] [--cpus N] [--pids N] [--disk SIZE] [--hostname NAME] [--internet] [--group NAME --hosts A,B,…]',
  summary: 'make a lab host and start it',
  details:
    'SIZE is 512m, 2g, …; what is not given comes from BERTH_SANDBOX_MEMORY, _CPUS, _PIDS and _DISK.\n' +
    'Lab hosts of the same group share a private link and know each other by the hostnames in --hosts, which is the same list for all.',
  async run(args, settings) {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      strict: true,
      options: {
        memory: { type: 'string' },
        cpus: { type: 'string' },
        pids: { type: 'string' },
        disk: { type: 'string' },
        hostname: { type: 'string' },
        internet: { type: 'boolean' },
        group: { type: 'string' },
        hosts: { type: 'string' },
      },
    });
    const name = oneName(positionals);
    const limits = {
      ...(values.memory === undefined ? {} : { memory: size('memory', values.memory) }),
      ...(values.cpus === undefined ? {} : { cpus: number('cpus', values.cpus) }),
      ...(values.pids === undefined ? {} : { pids: number('pids', values.pids) }),
      ...(values.disk === undefined ? {} : { disk: size('disk', values.disk) }),
    };
    const { hostname, internet, group, hosts } = values;
    if ((group === undefined) !== (hosts === undefined)) {
      throw new UsageError('--group and --hosts belong together: --group GROUP --hosts node1,node2');
    }
    await withClient(settings, (client) =>
      client.createSandbox({
        name,
        limits,
        ...(hostname === undefined ? {} : { hostname }),
        ...(internet ? { internet } : {}),
        ...(group === undefined || hosts === undefined ? {} : { link: { group, hosts: hosts.split(',') } }),
      }),
    );
    say(name);
    return 0;
  },
};

const ls: Command = {
  usage: 'sandbox ls',
  summary: 'list lab hosts',
  async run(args, settings) {
    parseArgs({ args, strict: true });
    const sandboxes = await withClient(settings, (client) => client.sandboxes());
    printTable(
      ['NAME', 'STATE', 'PID', 'MEMORY', 'LIMITS', 'CREATED'],
      sandboxes.map(({ name, state, pid, memoryUsage, limits, created }) => [
        name,
        state,
        pid === 0 ? '-' : String(pid),
        memoryUsage === undefined ? '-' : showBytes(memoryUsage),
        `${showBytes(limits.memory)}, ${limits.cpus} cpus, ${limits.pids} pids, disk ${showBytes(limits.disk)}`,
        created.slice(0, 19).replace('T', ' '),
      ]),
    );
    return 0;
  },
};

const socket: Command = {
  usage: 'sandbox socket NAME',
  summary: 'print the path of its Docker socket on this host',
  details: 'For root: DOCKER_HOST=unix://$(berth sandbox socket NAME) docker ps',
  async run(args, settings) {
    const name = oneName(args);
    const { state, dockerSocket } = await withClient(settings, (client) => client.sandbox(name));
    if (state === 'stopped') await withClient(settings, (client) => client.startSandbox(name));
    say(dockerSocket);
    return 0;
  },
};

const exec: Command = {
  usage: 'sandbox exec NAME [--] COMMAND [ARGUMENT…]',
  summary: 'run a program in a lab host',
  details:
    'On a terminal the program gets one, too. Otherwise standard output and standard error stay apart; then standard\n' +
    'input is read to its end first (at most 512 KiB), each output may have 4 MiB, and the program ten minutes.\n' +
    'Exits with the exit code of the program.',
  async run(args, settings) {
    const [name, ...rest] = args;
    if (name === undefined)
      throw new UsageError('which sandbox, and what to run? berth sandbox exec NAME -- COMMAND');
    const argv = rest[0] === '--' ? rest.slice(1) : rest;
    if (argv.length === 0) throw new UsageError(`what to run? berth sandbox exec ${name} -- COMMAND`);
    return await withClient(settings, (client) => execInSandbox(client, checkName(name), argv));
  },
};

/** `berth sandbox <verb>`, by verb. */
export const sandboxCommands: Readonly<Record<string, Command>> = {
  create,
  ls,
  exec,
  socket,
  reset: onOne(
    'reset',
    'give it an empty disk; everything in it is lost',
    (c, name) => c.resetSandbox(name),
    (name) => `${name} is as new`,
  ),
  rm: onOne(
    'rm',
    'delete it and everything in it',
    (c, name) => c.deleteSandbox(name),
    (name) => name,
  ),
  freeze: onOne(
    'freeze',
    'stop every process in it for a while',
    (c, name) => c.freezeSandbox(name),
    (name) => `${name} is frozen; berth sandbox thaw ${name}`,
  ),
  thaw: onOne(
    'thaw',
    'let its processes go on',
    (c, name) => c.thawSandbox(name),
    (name) => `${name} goes on`,
  ),
};

// The berth command: finds what was asked for, and tells mistakes in one line.

import { parseArgs } from 'node:util';
import { EngineUnreachable } from '../client/http.ts';
import { messageOf } from '../errors.ts';
import { setUp } from '../setup/setup.ts';
import { bench, test } from './checks.ts';
import { type Command, say, UsageError } from './command.ts';
import { doctor, examineHost } from './doctor.ts';
import { down } from './down.ts';
import { images } from './images.ts';
import { start, up } from './run.ts';
import { sandboxCommands } from './sandbox.ts';
import { type CliSettings, parseCliSettings } from './settings.ts';
import { status } from './status.ts';

const setup: Command = {
  usage: 'setup',
  summary: 'install and build what is missing',
  details: 'Safe to interrupt and to run again. BERTH_MIRROR names another Debian mirror.',
  async run(args, settings) {
    parseArgs({ args, strict: true });
    if (!(await examineHost(settings.dataDir, true))) return 1;
    await setUp(settings, { withTests: false, environment: process.env, out: process.stdout });
    say(`Set-up is complete: ${settings.dataDir}`);
    return 0;
  },
};

const COMMANDS: Readonly<Record<string, Command>> = {
  start,
  up,
  down,
  status,
  doctor,
  setup,
  images,
  test,
  bench,
};

function findCommand(args: readonly string[]): { command: Command; rest: string[] } | undefined {
  const [first = '', second = ''] = args;
  if (first === 'sandbox' && Object.hasOwn(sandboxCommands, second)) {
    const command = sandboxCommands[second];
    return command && { command, rest: args.slice(2) };
  }
  const command = Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined;
  return command && { command, rest: args.slice(1) };
}

function help(commands: readonly Command[]): string {
  const width = 44;
  return commands
    .map(({ usage, summary }) => {
      const left = `  berth ${usage}`;
      return left.length < width
        ? `${left.padEnd(width)}${summary}`
        : `${left}\n${' '.repeat(width)}${summary}`;
    })
    .join('\n');
}

function generalHelp(): string {
  return [
    'Berth: a self-hosted lab platform for learning containers.',
    '',
    help([...Object.values(COMMANDS), ...Object.values(sandboxCommands)]),
    '',
    'berth COMMAND --help says more. Settings are environment variables (BERTH_DATA, BERTH_PORT, …); see README.md.',
  ].join('\n');
}

async function run(args: string[], settings: CliSettings): Promise<number> {
  const found = findCommand(args);
  if (!found) {
    const wantsHelp = args.length === 0 || args.includes('--help') || args[0] === 'help';
    if (args[0] === 'sandbox' && (wantsHelp || args.length === 1)) {
      say(help(Object.values(sandboxCommands)));
      return 0;
    }
    if (!wantsHelp) throw new UsageError(`there is no command "${args.join(' ')}"; berth --help lists them`);
    say(generalHelp());
    return 0;
  }
  const { command, rest } = found;
  const ownArguments = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  const isForProgram = command === sandboxCommands.exec && ownArguments[0] !== '--help';
  if (ownArguments.includes('--help') && !isForProgram) {
    say(`usage: berth ${command.usage}\n\n${command.summary}`);
    if (command.details) say(command.details);
    return 0;
  }
  return await command.run(rest, settings);
}

/** One line for what went wrong, with what to do where that is known. */
function explain(error: unknown): string {
  if (error instanceof EngineUnreachable) return `${error.message}. Start it with: berth up`;
  return messageOf(error);
}

async function main(): Promise<void> {
  try {
    process.exitCode = await run(process.argv.slice(2), parseCliSettings(process.env));
  } catch (error) {
    process.stderr.write(`berth: ${explain(error)}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}

await main();

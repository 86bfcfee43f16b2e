// Each instruction's own grammar, by keyword.

import { parseFlags } from './flags.ts';
import { parseDuration, quote, trimSpace } from './go-text.ts';
import { type Heredoc, heredocContent, parseHeredocMark } from './heredoc.ts';
import type {
  AddInstruction,
  ArgInstruction,
  CommandLine,
  CopyInstruction,
  ExposeInstruction,
  FromInstruction,
  HealthcheckInstruction,
  InlineFile,
  Instruction,
  OnbuildInstruction,
  RunInstruction,
  ShellInstruction,
  VolumeInstruction,
  WordInstruction,
} from './instruction.ts';
import { checkMount } from './mount.ts';
import type { Statement } from './syntax.ts';

type Reader = (statement: Statement) => Instruction | FromInstruction;

/** The readers of all instructions, by keyword in lower case. They throw Errors in BuildKit's words. */
export const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['add', readAdd],
  ['arg', readArg],
  ['cmd', (statement) => ({ ...common(statement), kind: 'cmd', command: flaglessCommand(statement) })],
  ['copy', readCopy],
  [
    'entrypoint',
    (statement) => ({ ...common(statement), kind: 'entrypoint', command: flaglessCommand(statement) }),
  ],
  ['env', (statement) => readPairs(statement, 'env')],
  ['expose', readExpose],
  ['from', readFrom],
  ['healthcheck', readHealthcheck],
  ['label', (statement) => readPairs(statement, 'label')],
  ['maintainer', (statement) => readWord(statement, 'maintainer')],
  ['onbuild', readOnbuild],
  ['run', readRun],
  ['shell', readShell],
  ['stopsignal', (statement) => readWord(statement, 'stopsignal')],
  ['user', (statement) => readWord(statement, 'user')],
  ['volume', readVolume],
  ['workdir', (statement) => readWord(statement, 'workdir')],
]);

function common(statement: Statement): Pick<Instruction, 'text' | 'source' | 'statement'> {
  return { text: trimSpace(statement.text), source: statement.source, statement };
}

function atLeastOne(statement: Statement, keyword: string): void {
  if (statement.args.length === 0) throw new Error(`${keyword} requires at least one argument`);
}

const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/;

function readFrom(statement: Statement): FromInstruction {
  const { args } = statement;
  const [base = '', as = '', written = ''] = args;
  let name = '';
  if (args.length === 3 && as.toLowerCase() === 'as') {
    name = written.toLowerCase();
    if (!STAGE_NAME.test(name)) {
      throw new Error(
        `invalid name for build stage: ${quote(written)}, name can't start with a number or contain symbols`,
      );
    }
  } else if (args.length !== 1) {
    throw new Error('FROM requires either one or three arguments');
  }
  const flags = parseFlags(statement.flags, { platform: 'string' });
  return { ...common(statement), kind: 'from', base, name, platform: flags.text('platform') ?? '' };
}

function readArg(statement: Statement): ArgInstruction {
  atLeastOne(statement, 'ARG');
  const args = statement.args.map((arg) => {
    const equals = arg.indexOf('=');
    if (equals === 0) throw new Error('ARG names can not be blank');
    return equals < 0
      ? { name: arg, value: undefined }
      : { name: arg.slice(0, equals), value: arg.slice(equals + 1) };
  });
  return { ...common(statement), kind: 'arg', args };
}

function readPairs(statement: Statement, kind: 'env' | 'label'): Instruction {
  const keyword = kind.toUpperCase();
  parseFlags(statement.flags, {});
  if (statement.pairs.length === 0) throw new Error(`${keyword} requires at least one argument`);
  if (statement.pairs.some((pair) => pair.key === '')) throw new Error(`${keyword} names can not be blank`);
  return { ...common(statement), kind, pairs: statement.pairs };
}

function readTransfer(statement: Statement, keyword: string) {
  const sources = statement.args.slice(0, -1);
  const destination = statement.args.at(-1) ?? '';
  if (parseHeredocMark(destination) !== undefined) {
    throw new Error(`${keyword} cannot accept a heredoc as a destination`);
  }
  const byName = new Map(statement.heredocs.map((heredoc) => [heredoc.name, heredoc]));
  const files: InlineFile[] = [];
  const paths: string[] = [];
  for (const source of sources) {
    const mark = parseHeredocMark(source);
    if (mark === undefined) {
      paths.push(source);
      continue;
    }
    const heredoc: Heredoc = { ...mark, content: byName.get(mark.name)?.content ?? '' };
    files.push({
      name: mark.name,
      content: heredocContent(heredoc),
      written: heredoc.content,
      expands: mark.expands,
    });
  }
  return { sources: paths, files, destination };
}

function checkDestination(statement: Statement, keyword: string): void {
  if (statement.args.length < 2) {
    throw new Error(
      `${keyword} requires at least two arguments, but only one was provided. Destination could not be determined`,
    );
  }
}

const TRANSFER_FLAGS = { chown: 'string', chmod: 'string', link: 'boolean', exclude: 'strings' } as const;

function readCopy(statement: Statement): CopyInstruction {
  checkDestination(statement, 'COPY');
  const flags = parseFlags(statement.flags, { ...TRANSFER_FLAGS, from: 'string', parents: 'boolean' });
  return {
    ...common(statement),
    ...readTransfer(statement, 'COPY'),
    kind: 'copy',
    chown: flags.text('chown') ?? '',
    chmod: flags.text('chmod') ?? '',
    link: flags.isTrue('link'),
    excludePatterns: flags.texts('exclude'),
    from: flags.text('from') ?? '',
    parents: flags.isTrue('parents'),
  };
}

function readAdd(statement: Statement): AddInstruction {
  checkDestination(statement, 'ADD');
  const flags = parseFlags(statement.flags, {
    ...TRANSFER_FLAGS,
    'keep-git-dir': 'boolean',
    checksum: 'string',
    unpack: 'boolean',
  });
  return {
    ...common(statement),
    ...readTransfer(statement, 'ADD'),
    kind: 'add',
    chown: flags.text('chown') ?? '',
    chmod: flags.text('chmod') ?? '',
    link: flags.isTrue('link'),
    excludePatterns: flags.texts('exclude'),
    keepsGitDirectory: flags.isUsed('keep-git-dir') ? flags.isTrue('keep-git-dir') : undefined,
    checksum: flags.text('checksum') ?? '',
    unpacks: flags.isUsed('unpack') ? flags.isTrue('unpack') : undefined,
  };
}

/** In the shell form all is one text. */
function commandLine(statement: Statement, args: readonly string[] = statement.args): CommandLine {
  if (statement.isJson || args.length === 0) return { args, usesShell: !statement.isJson };
  return { args: [args.join(' ')], usesShell: true };
}

function flaglessCommand(statement: Statement): CommandLine {
  parseFlags(statement.flags, {});
  return commandLine(statement);
}

function readRun(statement: Statement): RunInstruction {
  const flags = parseFlags(statement.flags, {
    mount: 'strings',
    network: 'string',
    security: 'string',
    device: 'strings',
  });
  const mounts = flags.texts('mount');
  for (const mount of mounts) checkMount(mount);
  const network = flags.text('network') ?? 'default';
  if (network !== 'default' && network !== 'none' && network !== 'host') {
    throw new Error(`invalid network mode ${quote(network)}`);
  }
  const security = flags.text('security') ?? 'sandbox';
  if (security !== 'sandbox' && security !== 'insecure') {
    throw new Error(`security ${quote(security)} is not valid`);
  }
  return {
    ...common(statement),
    kind: 'run',
    command: commandLine(statement),
    files: statement.heredocs.map((heredoc) => ({
      name: heredoc.name,
      content: heredocContent(heredoc),
      written: heredoc.content,
      expands: heredoc.expands,
    })),
    mounts,
    network,
    security,
    devices: flags.texts('device'),
  };
}

function readOnbuild(statement: Statement): OnbuildInstruction {
  atLeastOne(statement, 'ONBUILD');
  parseFlags(statement.flags, {});
  const keyword = statement.trigger?.keyword.toUpperCase() ?? '';
  if (keyword === 'ONBUILD') throw new Error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (keyword === 'MAINTAINER' || keyword === 'FROM') {
    throw new Error(`${keyword} isn't allowed as an ONBUILD trigger`);
  }
  const inner = statement.text.replace(/^\s*ONBUILD\s*/i, '');
  const heredocs = statement.heredocs.map((heredoc) => `\n${heredoc.content}${heredoc.name}`);
  return { ...common(statement), kind: 'onbuild', trigger: inner + heredocs.join('') };
}

/** BuildKit refuses shorter times (nanoseconds). */
const INTERVAL_MIN = 1_000_000;

function readHealthcheck(statement: Statement): HealthcheckInstruction {
  atLeastOne(statement, 'HEALTHCHECK');
  const [written = '', ...rest] = statement.args;
  const type = written.toUpperCase();
  const times = { interval: 0, timeout: 0, startPeriod: 0, startInterval: 0, retries: 0 };
  if (type === 'NONE') {
    if (rest.length > 0) throw new Error('HEALTHCHECK NONE takes no arguments');
    return { ...common(statement), ...times, kind: 'healthcheck', test: ['NONE'] };
  }
  const flags = parseFlags(statement.flags, {
    interval: 'string',
    timeout: 'string',
    'start-period': 'string',
    'start-interval': 'string',
    retries: 'string',
  });
  if (type !== 'CMD') throw new Error(`Unknown type ${quote(type)} in HEALTHCHECK (try CMD)`);
  const { args } = commandLine(statement, rest);
  if (args.length === 0) throw new Error('Missing command after HEALTHCHECK CMD');
  const time = (name: string) => readInterval(name, flags.text(name) ?? '');
  return {
    ...common(statement),
    kind: 'healthcheck',
    test: [statement.isJson ? 'CMD' : 'CMD-SHELL', ...args],
    interval: time('interval'),
    timeout: time('timeout'),
    startPeriod: time('start-period'),
    startInterval: time('start-interval'),
    retries: readRetries(flags.text('retries') ?? ''),
  };
}

function readInterval(name: string, text: string): number {
  const nanoseconds = text === '' ? 0 : parseDuration(text);
  if (nanoseconds !== 0 && nanoseconds < INTERVAL_MIN) {
    throw new Error(`Interval ${quote(name)} cannot be less than 1ms`);
  }
  return nanoseconds;
}

function readRetries(text: string): number {
  if (text === '') return 0;
  const failure = `strconv.ParseInt: parsing ${quote(text)}:`;
  if (!/^[+-]?\d+$/.test(text)) throw new Error(`${failure} invalid syntax`);
  const retries = Number(text);
  if (retries > 0x7fff_ffff || retries < -0x8000_0000) throw new Error(`${failure} value out of range`);
  if (retries < 0) throw new Error(`--retries cannot be negative (${retries})`);
  return retries;
}

function readExpose(statement: Statement): ExposeInstruction {
  atLeastOne(statement, 'EXPOSE');
  parseFlags(statement.flags, {});
  return { ...common(statement), kind: 'expose', ports: [...statement.args].sort() };
}

function readVolume(statement: Statement): VolumeInstruction {
  atLeastOne(statement, 'VOLUME');
  parseFlags(statement.flags, {});
  const volumes = statement.args.map(trimSpace);
  if (volumes.includes('')) throw new Error('VOLUME specified can not be an empty string');
  return { ...common(statement), kind: 'volume', volumes };
}

function readShell(statement: Statement): ShellInstruction {
  parseFlags(statement.flags, {});
  atLeastOne(statement, 'SHELL');
  if (!statement.isJson) {
    throw new Error(`SHELL requires the arguments to be in JSON form`);
  }
  return { ...common(statement), kind: 'shell', shell: statement.args };
}

function readWord(statement: Statement, kind: WordInstruction['kind']): WordInstruction {
  const [value] = statement.args;
  if (value === undefined) throw new Error(`${kind.toUpperCase()} requires exactly one argument`);
  if (kind !== 'stopsignal') parseFlags(statement.flags, {});
  return { ...common(statement), kind, value };
}

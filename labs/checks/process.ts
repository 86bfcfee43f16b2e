// The check `process`: programs that run, as whom, in which namespaces, under which limits.

import { z } from 'zod';
import type { ProcessInfo } from '../../engine/client/types.ts';
import { limitsOfProcess } from './cgroup-limits.ts';
import { type CheckResult, defineCheck, failed, PASSED } from './check.ts';
import type { Look } from './look.ts';
import {
  byteSize,
  describeRange,
  inRange,
  name,
  oneOrMore,
  range,
  showBytes,
  strictMap,
  text,
} from './schema.ts';
import { describeTextMatch, excerpt, isTextAsWanted, textMatch } from './text-match.ts';

const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'] as const;
const namespaces = oneOrMore(z.enum(NAMESPACES, `must be one of ${NAMESPACES.join(', ')}`));

const who = {
  /** what its command line must be like, arguments joined by spaces */
  command: textMatch.optional(),
  /** container that it runs in */
  container: name.optional(),
  /** true: it must run in no container; false: in any */
  labHost: z.boolean('must be true or false').optional(),
};

const Parameters = strictMap({
  ...who,
  /** uid as the lab host sees it, or a name of the lab host's /etc/passwd */
  user: text.optional(),
  count: range.optional(),
  /** true: no such process may run */
  absent: z.literal(true, 'can only be true').optional(),
  /** namespaces that it shares with `of` */
  shares: namespaces.optional(),
  /** namespaces that it does not share with `of` */
  differs: namespaces.optional(),
  /** the process to compare namespaces with; the lab host's first process when not given */
  of: strictMap(who).optional(),
  /** limits that the kernel holds it to, as its cgroup says */
  limits: strictMap({
    memory: byteSize.optional(),
    cpus: z.number('must be a number').positive().optional(),
    pids: z.number('must be a number').int().positive().optional(),
  }).optional(),
})
  .refine(({ command, container }) => command || container, 'must have command or container')
  .refine(({ absent, count }) => !(absent && count), 'absent and count cannot both be given');
type Parameters = z.output<typeof Parameters>;
type Who = Pick<Parameters, 'command' | 'container' | 'labHost'>;

export const processCheck = defineCheck({
  name: 'process',
  schema: Parameters,
  describe: (parameters) => `${describeWho(parameters)} ${parameters.absent ? 'does not run' : 'runs'}`,
  interests: () => ({ docker: ['container'], terminal: true, poll: true }),
  evaluate,
});

async function evaluate(parameters: Parameters, look: Look): Promise<CheckResult> {
  const candidates = await find(parameters, look);
  if ('problem' in candidates) {
    if (parameters.absent) return PASSED;
    return failed({ expected: describeWho(parameters), found: candidates.problem, look: 'docker ps -a' });
  }
  let reason = '';
  const matching: ProcessInfo[] = [];
  for (const process of candidates.found) {
    const problem = await whyNot(process, parameters, look);
    if (problem === undefined) matching.push(process);
    else reason ||= problem;
  }
  const wanted = parameters.count ?? (parameters.absent ? { min: 0, max: 0 } : { min: 1 });
  if (inRange(matching.length, wanted)) return PASSED;
  return failed({
    expected: expectation(parameters, describeRange(wanted)),
    found: matching.length === 0 ? reason || 'no such process' : listProcesses(matching),
    look: parameters.shares || parameters.differs ? 'lsns' : whereToLook(parameters),
  });
}

/** Why a process of the right name is not the wanted one. */
async function whyNot(process: ProcessInfo, parameters: Parameters, look: Look): Promise<string | undefined> {
  const { user, limits } = parameters;
  if (user !== undefined && process.uid !== (await uidOf(user, look))) {
    return `${showProcess(process)} runs as uid ${process.uid}`;
  }
  return (
    (await namespaceProblem(process, parameters, look)) ??
    (limits && (await limitProblem(process, limits, look)))
  );
}

async function namespaceProblem(
  process: ProcessInfo,
  parameters: Parameters,
  look: Look,
): Promise<string | undefined> {
  const { shares = [], differs = [], of } = parameters;
  if (shares.length + differs.length === 0) return undefined;
  const others = of
    ? await find(of, look)
    : { found: (await look.processes()).filter(({ pid }) => pid === 1) };
  if ('problem' in others) return others.problem;
  const other = others.found.find(({ pid }) => pid !== process.pid);
  if (!other) return `there is no ${of ? describeWho(of) : 'process 1'} to compare with`;
  const compared = `${showProcess(process)} and ${showProcess(other)}`;
  const isShared = (type: string) => process.namespaces[type] === other.namespaces[type];
  const apart = shares.filter((type) => !isShared(type));
  if (apart.length > 0) return `${compared} have ${apart.join(', ')} namespaces of their own`;
  const together = differs.filter(isShared);
  return together.length > 0 ? `${compared} share the ${together.join(', ')} namespace` : undefined;
}

async function limitProblem(
  process: ProcessInfo,
  wanted: NonNullable<Parameters['limits']>,
  look: Look,
): Promise<string | undefined> {
  const found = await limitsOfProcess(process, look);
  if (wanted.memory !== undefined && found.memory !== wanted.memory) {
    return `memory limit of ${showProcess(process)}: ${found.memory === undefined ? 'none' : showBytes(found.memory)}`;
  }
  if (wanted.cpus !== undefined && found.cpus !== wanted.cpus) {
    return `cpu limit of ${showProcess(process)}: ${found.cpus ?? 'none'}`;
  }
  if (wanted.pids !== undefined && found.pids !== wanted.pids) {
    return `process limit of ${showProcess(process)}: ${found.pids ?? 'none'}`;
  }
  return undefined;
}

/** The processes that are meant, sorted by age. */
async function find(who: Who, look: Look): Promise<{ found: ProcessInfo[] } | { problem: string }> {
  const container = who.container === undefined ? undefined : await look.container(who.container);
  if (who.container !== undefined && !container) return { problem: `no container ${who.container}` };
  if (container && container.State.Status !== 'running') {
    return { problem: `container ${container.Name} is ${container.State.Status}` };
  }
  const found = (await look.processes()).filter(
    (process) =>
      process.state !== 'Z' &&
      (!container || process.container === container.Id) &&
      (who.labHost === undefined || (process.container === null) === who.labHost) &&
      (!who.command || isTextAsWanted(who.command, commandOf(process))),
  );
  return { found: found.sort((a, b) => a.pid - b.pid) };
}

async function uidOf(user: string, look: Look): Promise<number | undefined> {
  if (/^\d+$/.test(user)) return Number(user);
  const { stdout } = await look.host.run({ argv: ['id', '-u', '--', user], timeout: 5000 }, look.signal);
  return /^\d+$/.test(stdout.trim()) ? Number(stdout) : undefined;
}

function expectation(parameters: Parameters, count: string): string {
  const { user, shares, differs, of, limits } = parameters;
  const other = of ? describeWho(of) : "the lab host's first process";
  const parts = [
    user === undefined ? '' : `as user ${user}`,
    shares ? `sharing ${shares.join(', ')} namespace with ${other}` : '',
    differs ? `with ${differs.join(', ')} namespace other than that of ${other}` : '',
    limits?.memory === undefined ? '' : `limited to ${showBytes(limits.memory)} of memory`,
    limits?.cpus === undefined ? '' : `limited to ${limits.cpus} cpus`,
    limits?.pids === undefined ? '' : `limited to ${limits.pids} processes`,
  ];
  return [`${count} running:`, describeWho(parameters), ...parts.filter(Boolean)].join(' ');
}

function describeWho({ command, container, labHost }: Who): string {
  const what = command ? `a process whose command ${describeTextMatch(command)}` : 'a process';
  if (container !== undefined) return `${what} in container ${container}`;
  if (labHost === undefined) return what;
  return `${what} ${labHost ? 'outside of containers' : 'in a container'}`;
}

function whereToLook({ container }: Parameters): string {
  return container === undefined ? 'ps -ef' : `docker top ${container}`;
}

function listProcesses(processes: readonly ProcessInfo[]): string {
  return `${processes.length}: ${processes.slice(0, 5).map(showProcess).join('; ')}`;
}

function showProcess(process: ProcessInfo): string {
  return `${process.pid} (${excerpt(commandOf(process), 60)})`;
}

function commandOf({ args, comm }: ProcessInfo): string {
  return args.length > 0 ? args.join(' ') : comm;
}

// `berth doctor`: what this host has and lacks, and what to do about it.

import { messageOf } from '../errors.ts';
import { type Finding, HOST_CHECKS, type HostCheck } from '../setup/host-checks.ts';
import { type Command, say } from './command.ts';

const SIGNS: Readonly<Record<Finding['status'], string>> = {
  ok: 'ok      ',
  missing: 'MISSING ',
  unknown: 'later   ',
};

/** Runs every check; with `onlyProblems`, prints just what stands in the way. True when nothing hard is missing. */
export async function examineHost(dataDir: string, onlyProblems: boolean): Promise<boolean> {
  let isFit = true;
  for (const check of HOST_CHECKS) {
    const finding = await probe(check, dataDir);
    const isProblem = finding.status === 'missing' && check.isHard;
    if (isProblem) isFit = false;
    if (onlyProblems && !isProblem) continue;
    const sign = finding.status === 'missing' && !check.isHard ? 'note    ' : SIGNS[finding.status];
    say(`${sign}${check.name}: ${finding.found}`);
    if (finding.advice) say(`        → ${finding.advice}`);
  }
  return isFit;
}

async function probe(check: HostCheck, dataDir: string): Promise<Finding> {
  try {
    return await check.probe(dataDir);
  } catch (error) {
    return {
      status: 'missing',
      found: messageOf(error),
      advice: 'this could not be tried; fix it and run berth doctor again',
    };
  }
}

export const doctor: Command = {
  usage: 'doctor',
  summary: 'say what this host has and lacks',
  details: 'Exits with 1 when something is missing that Berth cannot do without and set-up cannot install.',
  async run(_args, { dataDir }) {
    const isFit = await examineHost(dataDir, false);
    say(isFit ? 'This host can run Berth.' : 'This host cannot run Berth yet; see what is MISSING above.');
    return isFit ? 0 : 1;
  },
};

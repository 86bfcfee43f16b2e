// Proves that a lab's text and the world agree: each step fails before its solution and passes after it, and each
// known-wrong answer fails with the intended message.

import { setTimeout as sleep } from 'node:timers/promises';
import { excerpt } from './checks/text-match.ts';
import type { LabHosts } from './hosts.ts';
import type { Lab, Script, Step } from './lab.ts';
import { evaluateChecks } from './run/evaluate.ts';
import type { CheckState } from './run/state.ts';
import { shellRequest } from './shell.ts';

/** How long an outcome may take to show, after the script that causes it has ended. */
const PATIENCE = 10_000;
const PAUSE = 200;
const SCRIPT_TIMEOUT = 120_000;

/** Something that a lab promises and that is not so. */
export interface Disproof {
  step: string;
  /** line in the lab.md */
  line: number;
  message: string;
}

/** Fresh lab hosts for a lab, and the way to give them back. */
export type OpenHosts = (lab: Lab) => Promise<{ hosts: LabHosts; close(): Promise<void> }>;

/** Does the lab as its solutions say, on fresh lab hosts. */
export async function proveSolutions(
  lab: Lab,
  openHosts: OpenHosts,
  signal: AbortSignal,
): Promise<Disproof[]> {
  const { hosts, close } = await openHosts(lab);
  const disproofs: Disproof[] = [];
  try {
    for (const step of lab.steps) {
      const problem = await proveSolution(step, hosts, signal);
      if (problem !== undefined) disproofs.push({ step: step.id, line: step.line, message: problem });
    }
    return disproofs;
  } finally {
    await close();
  }
}

async function proveSolution(step: Step, hosts: LabHosts, signal: AbortSignal): Promise<string | undefined> {
  await placeFiles(step, hosts, signal);
  if (step.checks.length > 0) {
    const before = await evaluateChecks(step.checks, hosts, signal);
    if (before.some(({ status }) => status === 'unknown')) return `before its solution: ${show(before)}`;
    if (before.every(({ status }) => status === 'passed')) return 'it passes before its solution';
  }
  const endings: string[] = [];
  for (const script of step.solution) endings.push(await runScript(script, hosts, signal));
  const after = await evaluateUntil(step, hosts, signal, (states) =>
    states.every(({ status }) => status === 'passed'),
  );
  return after.isMet ? undefined : `after its solution (${endings.join('; ')}): ${show(after.states)}`;
}

/** Gives every known-wrong answer, each on fresh lab hosts on which the steps before have been solved. */
export async function proveWrongAnswers(
  lab: Lab,
  openHosts: OpenHosts,
  signal: AbortSignal,
): Promise<Disproof[]> {
  const disproofs: Disproof[] = [];
  for (const step of lab.steps) {
    for (const { run, expect, line, on } of step.wrongAnswers) {
      const { hosts, close } = await openHosts(lab);
      try {
        await solveBefore(step, lab, hosts, signal);
        await runScript({ text: run, ...(on === undefined ? {} : { on }) }, hosts, signal);
        const { isMet, states } = await evaluateUntil(step, hosts, signal, (found) =>
          found.some((state) => state.status === 'failed' && messageOf(state).includes(expect)),
        );
        if (!isMet) {
          const message = `the wrong answer "${run.trim()}" should fail with "${expect}"; found: ${show(states)}`;
          disproofs.push({ step: step.id, line, message });
        }
      } finally {
        await close();
      }
    }
  }
  return disproofs;
}

async function solveBefore(step: Step, lab: Lab, hosts: LabHosts, signal: AbortSignal): Promise<void> {
  for (const earlier of lab.steps.slice(0, lab.steps.indexOf(step))) {
    await placeFiles(earlier, hosts, signal);
    for (const script of earlier.solution) await runScript(script, hosts, signal);
  }
  await placeFiles(step, hosts, signal);
}

async function placeFiles(step: Step, hosts: LabHosts, signal: AbortSignal): Promise<void> {
  for (const { path, content, mode, on } of step.files) {
    await hosts.get(on).writeFile(path, content, mode, signal);
  }
}

/** How the script ended; a command of it may well be meant to fail. */
async function runScript({ text, on }: Script, hosts: LabHosts, signal: AbortSignal): Promise<string> {
  const { exitCode, stderr, timedOut } = await hosts.get(on).run(shellRequest(text, SCRIPT_TIMEOUT), signal);
  if (timedOut) return 'it does not end';
  return `exit code ${exitCode} ${excerpt(stderr)}`.trim();
}

async function evaluateUntil(
  step: Step,
  hosts: LabHosts,
  signal: AbortSignal,
  isMet: (states: readonly CheckState[]) => boolean,
): Promise<{ isMet: boolean; states: CheckState[] }> {
  const end = performance.now() + PATIENCE;
  for (;;) {
    const states = await evaluateChecks(step.checks, hosts, signal);
    if (isMet(states)) return { isMet: true, states };
    if (performance.now() > end) return { isMet: false, states };
    await sleep(PAUSE, undefined, { signal });
  }
}

function messageOf({ expected = '', found = '', look = '' }: CheckState): string {
  return `${expected}\n${found}\n${look}`;
}

function show(states: readonly CheckState[]): string {
  return states
    .map(({ title, status, expected, found }) =>
      [`${title}: ${status}`, expected && `expected ${expected}`, found && `found ${found}`]
        .filter(Boolean)
        .join(', '),
    )
    .join(' | ');
}

// Proves that a lab's text and the world agree: each step fails before its solution and passes after it, and each
// known-wrong answer fails with the intended message.

import { setTimeout as sleep } from 'node:timers/promises';
import { excerpt } from './checks/text-match.ts';
import type { LabHost } from './host.ts';
import type { Lab, Step } from './lab.ts';
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

/** A fresh lab host, and the way to give it back. */
export type OpenHost = () => Promise<{ host: LabHost; close(): Promise<void> }>;

/** Does the lab as its solutions say, on one fresh lab host. */
export async function proveSolutions(lab: Lab, openHost: OpenHost, signal: AbortSignal): Promise<Disproof[]> {
  const { host, close } = await openHost();
  const disproofs: Disproof[] = [];
  try {
    for (const step of lab.steps) {
      const problem = await proveSolution(step, host, signal);
      if (problem !== undefined) disproofs.push({ step: step.id, line: step.line, message: problem });
    }
    return disproofs;
  } finally {
    await close();
  }
}

async function proveSolution(step: Step, host: LabHost, signal: AbortSignal): Promise<string | undefined> {
  await placeFiles(step, host, signal);
  if (step.checks.length > 0) {
    const before = await evaluateChecks(step.checks, host, signal);
    if (before.some(({ status }) => status === 'unknown')) return `before its solution: ${show(before)}`;
    if (before.every(({ status }) => status === 'passed')) return 'it passes before its solution';
  }
  const endings: string[] = [];
  for (const script of step.solution) endings.push(await runScript(script, host, signal));
  const after = await evaluateUntil(step, host, signal, (states) =>
    states.every(({ status }) => status === 'passed'),
  );
  return after.isMet ? undefined : `after its solution (${endings.join('; ')}): ${show(after.states)}`;
}

/** Gives every known-wrong answer, each on a fresh lab host on which the steps before have been solved. */
export async function proveWrongAnswers(
  lab: Lab,
  openHost: OpenHost,
  signal: AbortSignal,
): Promise<Disproof[]> {
  const disproofs: Disproof[] = [];
  for (const step of lab.steps) {
    for (const { run, expect, line } of step.wrongAnswers) {
      const { host, close } = await openHost();
      try {
        await solveBefore(step, lab, host, signal);
        await runScript(run, host, signal);
        const { isMet, states } = await evaluateUntil(step, host, signal, (found) =>
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

async function solveBefore(step: Step, lab: Lab, host: LabHost, signal: AbortSignal): Promise<void> {
  for (const earlier of lab.steps.slice(0, lab.steps.indexOf(step))) {
    await placeFiles(earlier, host, signal);
    for (const script of earlier.solution) await runScript(script, host, signal);
  }
  await placeFiles(step, host, signal);
}

async function placeFiles(step: Step, host: LabHost, signal: AbortSignal): Promise<void> {
  for (const { path, content, mode } of step.files) await host.writeFile(path, content, mode, signal);
}

/** How the script ended; a command of it may well be meant to fail. */
async function runScript(script: string, host: LabHost, signal: AbortSignal): Promise<string> {
  const { exitCode, stderr, timedOut } = await host.run(shellRequest(script, SCRIPT_TIMEOUT), signal);
  if (timedOut) return 'it does not end';
  return `exit code ${exitCode} ${excerpt(stderr)}`.trim();
}

async function evaluateUntil(
  step: Step,
  host: LabHost,
  signal: AbortSignal,
  isMet: (states: readonly CheckState[]) => boolean,
): Promise<{ isMet: boolean; states: CheckState[] }> {
  const end = performance.now() + PATIENCE;
  for (;;) {
    const states = await evaluateChecks(step.checks, host, signal);
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

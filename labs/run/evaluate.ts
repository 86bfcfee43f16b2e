// Evaluates a list of checks against a lab's hosts: a few at a time, each within a time limit.

import type { Check } from '../checks/check.ts';
import { Look } from '../checks/look.ts';
import { excerpt } from '../checks/text-match.ts';
import { withSignal } from '../host.ts';
import type { LabHosts } from '../hosts.ts';
import type { CheckState } from './state.ts';

/** checks evaluated at the same time */
const CONCURRENCY = 4;
/** milliseconds that one check may take */
const CHECK_TIMEOUT = 10_000;

/** The checks' states, in their order. Rejects only when `signal` is aborted. */
export async function evaluateChecks(
  checks: readonly Check[],
  hosts: LabHosts,
  signal: AbortSignal,
): Promise<CheckState[]> {
  const over = new AbortController();
  const bounded = AbortSignal.any([signal, over.signal]);
  const looks = new Map(hosts.names.map((name) => [name, new Look(hosts.get(name), bounded)]));
  const lookOf = ({ on = hosts.names[0] ?? '' }: Check) => looks.get(on) ?? new Look(hosts.get(on), bounded);
  const states: CheckState[] = checks.map(waitingState);
  let next = 0;
  const work = async () => {
    for (let index = next++; index < checks.length; index = next++) {
      const check = checks[index];
      if (check) states[index] = await evaluateCheck(check, lookOf(check));
      signal.throwIfAborted();
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY, checks.length) }, work));
    return states;
  } finally {
    over.abort();
  }
}

async function evaluateCheck(check: Check, look: Look): Promise<CheckState> {
  const { title, kind, hint } = check;
  try {
    const result = await withSignal(
      check.evaluate(look),
      AbortSignal.any([look.signal, AbortSignal.timeout(CHECK_TIMEOUT)]),
    );
    if (result.passed) return { title, kind, status: 'passed' };
    const { expected, found, look: where } = result;
    return {
      title,
      kind,
      status: 'failed',
      expected,
      found,
      look: where,
      ...(hint === undefined ? {} : { hint }),
    };
  } catch (error) {
    return { title, kind, status: 'unknown', found: reasonOf(error) };
  }
}

/** A check that has not been evaluated. */
export function waitingState({ title, kind }: Check): CheckState {
  return { title, kind, status: 'waiting' };
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') {
    return `could not be checked within ${CHECK_TIMEOUT / 1000} seconds`;
  }
  return `could not be checked: ${excerpt(error instanceof Error ? error.message : String(error))}`;
}

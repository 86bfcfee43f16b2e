// What a run of a lab looks like from outside: the state that is shown and the progress that is stored.

import { z } from 'zod';

/**
 * A check as the student sees it.
 * `waiting`: not looked at yet (its step is not the current one, or the first look is still under way);
 * `unknown`: could not be evaluated, `found` says why.
 */
export interface CheckState {
  title: string;
  kind: string;
  status: 'waiting' | 'passed' | 'failed' | 'unknown';
  expected?: string;
  found?: string;
  /** where to look */
  look?: string;
  /** the author's own hint */
  hint?: string;
}

/** A step as the student sees it. */
export interface StepState {
  id: string;
  title: string;
  status: 'done' | 'current' | 'ahead';
  /** RFC 3339, when done */
  doneAt?: string;
  /** true when it has no checks: the student ticks it off (`acknowledge`) */
  readOnly: boolean;
  checks: CheckState[];
}

/** A whole run as the student sees it. */
export interface RunState {
  steps: StepState[];
  /** id of the first step that is not done, null when all are */
  current: string | null;
  done: boolean;
}

/** What a server stores of a run and hands back to the next one. */
export const LabProgress = z.object({
  version: z.literal(1),
  /** step id to the time it was done, RFC 3339 */
  done: z.record(z.string(), z.string()),
  /** ids of the steps whose files were laid into the lab host */
  placed: z.array(z.string()),
});
export type LabProgress = z.infer<typeof LabProgress>;

/** The progress of a run that has not begun. */
export function noProgress(): LabProgress {
  return { version: 1, done: {}, placed: [] };
}

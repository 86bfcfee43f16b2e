// What changed between two states of a lesson, in words.

import type { RunView, StepView } from '../../server/protocol.ts';

/** Steps that were ticked off since `before`; none when there is no before (the page has just been opened). */
export function justDone(run: RunView, before: RunView | undefined): StepView[] {
  if (!before) return [];
  const wasDone = new Set(before.steps.filter(({ status }) => status === 'done').map(({ id }) => id));
  return run.steps.filter(({ id, status }) => status === 'done' && !wasDone.has(id));
}

/** A sentence for people who hear the page. */
export function announcementOf(run: RunView, done: readonly StepView[]): string {
  const titles = done.map(({ title }) => title).join(', ');
  const next = run.steps.find(({ id }) => id === run.current);
  return `Done: ${titles}. ${next ? `Next: ${next.title}.` : 'All steps are done.'}`;
}

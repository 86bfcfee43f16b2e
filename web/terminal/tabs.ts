// Which terminals the panel shows: those that the server has, and those that have just ended.

import { MAX_TERMINALS } from '../../server/protocol.ts';

export interface Tab {
  id: string;
  label: string;
  /** set when its program has ended; null when the code is not known */
  exitCode?: number | null;
}

/** The tabs to show, in the order of their numbers. */
export function tabsOf(running: readonly string[], ended: ReadonlyMap<string, number | null>): Tab[] {
  const live = running.filter((id) => !ended.has(id)).map((id) => ({ id, label: labelOf(id) }));
  const over = [...ended].map(([id, exitCode]) => ({ id, label: labelOf(id), exitCode }));
  return [...live, ...over].sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }));
}

/** An id that is not taken; the same for two pages that ask at the same time, so that they share one terminal. */
export function freshId(taken: readonly string[]): string {
  const number = Array.from({ length: MAX_TERMINALS * 4 }, (_, index) => index + 1).find(
    (each) => !taken.includes(`t${each}`),
  );
  return `t${number ?? Date.now()}`;
}

function labelOf(id: string): string {
  const number = /^t(\d+)$/.exec(id)?.[1];
  return number ? `Terminal ${number}` : id;
}

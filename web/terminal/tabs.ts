// Which terminals the panel shows: those that the server has, and those that have just ended.

import { MAX_TERMINALS } from '../../server/protocol.ts';

export interface Tab {
  id: string;
  /** name of its lab host */
  host: string;
  label: string;
  /** set when its program has ended; null when the code is not known */
  exitCode?: number | null;
}

/** The tabs to show: by lab host, in the order of their numbers. */
export function tabsOf(
  running: readonly string[],
  ended: ReadonlyMap<string, number | null>,
  hosts: readonly string[],
): Tab[] {
  const live = running.filter((id) => !ended.has(id)).map((id) => tabOf(id, hosts));
  const over = [...ended].map(([id, exitCode]) => ({ ...tabOf(id, hosts), exitCode }));
  return [...live, ...over].sort(
    (a, b) =>
      hosts.indexOf(a.host) - hosts.indexOf(b.host) || a.id.localeCompare(b.id, 'en', { numeric: true }),
  );
}

/** An id that is not taken; the same for two pages that ask at the same time, so that they share one terminal. */
export function freshId(taken: readonly string[], host: string, hosts: readonly string[]): string {
  const prefix = host === hosts[0] || hosts.length === 0 ? 't' : `${host}-t`;
  const number = Array.from({ length: MAX_TERMINALS * 4 }, (_, index) => index + 1).find(
    (each) => !taken.includes(`${prefix}${each}`),
  );
  return `${prefix}${number ?? Date.now()}`;
}

function tabOf(id: string, hosts: readonly string[]): Tab {
  const [, prefix = '', number] = /^(?:([a-z0-9]+)-)?t(\d+)$/.exec(id) ?? [];
  const host = hosts.includes(prefix) ? prefix : (hosts[0] ?? '');
  if (number === undefined) return { id, host, label: id };
  return { id, host, label: hosts.length > 1 ? `${host} ${number}` : `Terminal ${number}` };
}

// How several lab hosts do as one: the state that a page is told is that of the one that is worst off.

import type { SessionPhase } from '../protocol.ts';
import type { KeeperState } from './keeper.ts';

const WORST_FIRST: readonly SessionPhase[] = ['failed', 'away', 'resetting', 'starting', 'frozen', 'ready'];

/** The state of the one that is worst off, with its name when it is one of several. */
export function togetherOf(states: ReadonlyMap<string, KeeperState>): KeeperState {
  const sorted = [...states].sort(
    ([, one], [, other]) => WORST_FIRST.indexOf(one.phase) - WORST_FIRST.indexOf(other.phase),
  );
  const [worst] = sorted;
  if (!worst) return { phase: 'starting', detail: '' };
  const [host, { phase, detail }] = worst;
  return { phase, detail: states.size > 1 && detail !== '' ? `${host}: ${detail}` : detail };
}

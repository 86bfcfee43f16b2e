// What stands in front of the terminals when they cannot be used, and what to do about it.

import type { SessionInfo } from '../../server/protocol.ts';

export interface Cover {
  title?: string;
  text?: string;
  isWorking?: boolean;
  action?: { label: string; event: 'thaw' | 'start' | 'add' };
}

interface Situation {
  session: SessionInfo | undefined;
  isConnected: boolean;
  /** the terminal on top is joined to its program */
  isAttached: boolean;
  /** false: the person closed the last one */
  hasTerminals: boolean;
  problem: string;
}

/** Undefined when nothing is in the way. */
export function coverOf({
  session,
  isConnected,
  isAttached,
  hasTerminals,
  problem,
}: Situation): Cover | undefined {
  if (!isConnected) return reconnecting(session);
  switch (session?.phase) {
    case undefined:
      return { text: 'Looking for your lab host', isWorking: true };
    case 'starting':
      return { title: 'Starting', text: session.detail, isWorking: true };
    case 'resetting':
      return { title: 'Starting over', text: session.detail, isWorking: true };
    case 'away':
      return { title: 'The engine is away', text: session.detail, isWorking: true };
    case 'frozen':
      return { title: 'Paused', text: session.detail, action: { label: 'Let it go on', event: 'thaw' } };
    case 'failed':
      return {
        title: 'No lab host',
        text: session.detail,
        action: { label: 'Make a new one', event: 'start' },
      };
    case 'ready':
      if (!hasTerminals) {
        return {
          text: problem || 'No terminal is open.',
          action: { label: 'Open a terminal', event: 'add' },
        };
      }
      return isAttached ? undefined : { text: 'Connecting', isWorking: true };
  }
}

function reconnecting(session: SessionInfo | undefined): Cover {
  if (!session) return { text: 'Connecting', isWorking: true };
  return {
    title: 'Reconnecting',
    text: 'Berth’s server does not answer. Your lab host goes on, and so does this page as soon as it can.',
    isWorking: true,
  };
}

// The server's JSON API, as typed calls.

import {
  type LabPage,
  type LabSummary,
  PATHS,
  type SessionInfo,
  type TerminalView,
} from '../../server/protocol.ts';

/** An answer that is not a success; the message is the server's, for people. */
export class ApiError extends Error {
  constructor(
    /** 0: no answer at all */
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

export const api = {
  labs: () => call<LabSummary[]>('GET', PATHS.labs),
  lab: (slug: string) => call<LabPage>('GET', `${PATHS.labs}/${encodeURIComponent(slug)}`),
  openSession: (lab: string) => call<SessionInfo>('POST', PATHS.sessions, { lab }),
  reset: (id: string, forget: boolean) => call<SessionInfo>('POST', `${pathOf(id)}/reset`, { forget }),
  thaw: (id: string) => call<SessionInfo>('POST', `${pathOf(id)}/thaw`, {}),
  check: (id: string) => call<unknown>('POST', `${pathOf(id)}/check`, {}),
  acknowledge: (id: string, step: string) =>
    call<unknown>('POST', `${pathOf(id)}/steps/${encodeURIComponent(step)}/acknowledge`, {}),
  createTerminal: (id: string, terminal: string) =>
    call<TerminalView>('POST', `${pathOf(id)}/terminals`, { id: terminal, rows: 24, cols: 80 }),
  removeTerminal: (id: string, terminal: string) => call<unknown>('DELETE', PATHS.terminal(id, terminal)),
};

function pathOf(session: string): string {
  return `${PATHS.sessions}/${encodeURIComponent(session)}`;
}

async function call<T>(method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(path, {
    method,
    ...(body ? { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) } : {}),
  }).catch(() => {
    throw new ApiError(0, 'Berth’s server does not answer.');
  });
  const text = await response.text();
  const answer: unknown = text === '' ? undefined : JSON.parse(text);
  if (response.ok) return answer as T;
  throw new ApiError(response.status, messageIn(answer) ?? `the server answered ${response.status}`);
}

function messageIn(answer: unknown): string | undefined {
  if (answer === null || typeof answer !== 'object' || !('message' in answer)) return undefined;
  return String(answer.message);
}

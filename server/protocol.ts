// What the server and the page say to each other: plain types and constants, shared with web/.

/** Where things are served; the page and the server build addresses with these only. */
export const PATHS = {
  labs: '/api/labs',
  sessions: '/api/sessions',
  live: (session: string) => `/api/sessions/${encodeURIComponent(session)}/live`,
  terminal: (session: string, terminal: string) =>
    `/api/sessions/${encodeURIComponent(session)}/terminals/${encodeURIComponent(terminal)}`,
} as const;

/** GET /api/labs: one line of the list. */
export interface LabSummary {
  slug: string;
  title: string;
  summary: string;
  /** how long it takes */
  minutes: number;
  difficulty: 'beginner' | 'intermediate' | 'advanced';
  /** how many steps it has */
  steps: number;
  /** how many of them are done */
  done: number;
}

/** GET /api/labs/:slug: a lesson, rendered and safe to insert. */
export interface LabPage {
  slug: string;
  title: string;
  summary: string;
  minutes: number;
  introduction: string;
  steps: { id: string; title: string; html: string }[];
  /** names of the lab hosts, the first first */
  hosts: string[];
  /** ports that the lesson offers to open */
  ports: { port: number; title: string }[];
  /** the lesson to go on with */
  next: { slug: string; title: string } | null;
  /** address of a port of the lab host; `{port}` stands for the number */
  previewTemplate: string;
}

/** How a lab host is doing. */
export type SessionPhase =
  /** being made or started; `detail` says what is happening */
  | 'starting'
  | 'ready'
  /** every process in it is stopped until somebody lets it go on */
  | 'frozen'
  | 'resetting'
  /** the engine does not answer; the server tries again by itself */
  | 'away'
  /** it could not be made or was removed; `detail` says why, and starting it again is up to the student */
  | 'failed';

/** POST /api/sessions, GET /api/sessions/:id, and the live socket. */
export interface SessionInfo {
  id: string;
  lab: string;
  phase: SessionPhase;
  /** a sentence for the student; empty when there is nothing to say */
  detail: string;
}

/** A check as the student sees it. */
export interface CheckView {
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
export interface StepView {
  id: string;
  title: string;
  status: 'done' | 'current' | 'ahead';
  /** true when it has no checks: the student ticks it off */
  readOnly: boolean;
  checks: CheckView[];
}

/** The check list. */
export interface RunView {
  steps: StepView[];
  /** id of the first step that is not done, null when all are */
  current: string | null;
  done: boolean;
}

/** A terminal that a page can attach to. */
export interface TerminalView {
  /** `t1`; on another lab host than the first with its name before it: `node2-t1` */
  id: string;
  /** name of its lab host */
  host: string;
}

/** What the live socket sends: all there is at first, then what changed. */
export type LiveMessage =
  | { type: 'session'; session: SessionInfo }
  | { type: 'run'; run: RunView }
  | { type: 'terminals'; terminals: TerminalView[] }
  | { type: 'beat' };

/** What a terminal's socket sends beside the terminal's bytes (binary). */
export type TerminalServerMessage =
  /** what follows begins with the terminal's last output: clear the screen first */
  | { type: 'attached' }
  /** the program has ended; the socket is closed with TERMINAL_CLOSE.ended */
  | { type: 'exit'; code: number | null }
  | { type: 'beat' };

/** What a page sends on a terminal's socket beside what is typed (binary). */
export type TerminalClientMessage =
  | { type: 'resize'; rows: number; cols: number }
  /** so many more bytes have been shown on the screen */
  | { type: 'ack'; bytes: number };

/** Close codes of a terminal's socket; after any other the page connects again. */
export const TERMINAL_CLOSE = {
  /** no such terminal (any more): the lab host was reset or started anew */
  gone: 4404,
  /** its program has ended */
  ended: 4410,
  /** the engine or the lab host is away */
  away: 4503,
} as const;

/** Bytes sent but not yet shown above which the server stops reading the terminal, and below which it goes on. */
export const FLOW = { high: 256 * 1024, low: 64 * 1024, ackEvery: 32 * 1024 } as const;

/** The server sends a beat this often (milliseconds); a page that misses it for `silence` connects again. */
export const BEAT = { interval: 15_000, silence: 40_000 } as const;

/** Bytes of one message of a page at most; longer pastes are cut into several. */
export const MAX_INPUT = 16 * 1024;

/** Terminals of one session at most. */
export const MAX_TERMINALS = 8;

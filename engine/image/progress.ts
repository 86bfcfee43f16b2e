// Progress as the client draws it (JSONMessage): a line for each step, and no more than a few a second for bytes.

import { performance } from 'node:perf_hooks';

/** One line of a progress stream. */
export interface ProgressLine {
  status?: string;
  id?: string;
  progressDetail?: { current?: number; total?: number };
  stream?: string;
  aux?: object;
  errorDetail?: { message: string };
  error?: string;
}

export type Report = (line: ProgressLine) => void;

/** The least time between two lines on the bytes of one thing, in milliseconds. */
const INTERVAL = 100;

/** The id that progress has for a blob or layer. */
export function shortDigest(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12);
}

/** Tells of one thing (a layer) as it goes on. */
export class ItemProgress {
  readonly #id: string;
  readonly #report: Report;
  #last = Number.NEGATIVE_INFINITY;

  constructor(id: string, report: Report) {
    this.#id = id;
    this.#report = report;
  }

  /** Passes on what is told of the same thing under another id. */
  relay(): Report {
    return (line) => this.#report({ ...line, id: this.#id });
  }

  step(status: string): void {
    this.#report({ status, progressDetail: {}, id: this.#id });
  }

  bytes(status: string, current: number, total: number): void {
    const now = performance.now();
    if (now - this.#last < INTERVAL) return;
    this.#last = now;
    this.#report({ status, progressDetail: { current, total }, id: this.#id });
  }
}

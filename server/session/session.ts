// One student's way through one lab: the lab host, the run of its checks, and what pages are told of both.

import type { ControlClient } from '../../engine/client/client.ts';
import { labHostOf } from '../../labs/host.ts';
import type { LoadedLab } from '../../labs/load.ts';
import { LabRun } from '../../labs/run/lab-run.ts';
import type { LabProgress } from '../../labs/run/state.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { LiveMessage, RunView, SessionInfo } from '../protocol.ts';
import { TerminalList } from '../terminal/list.ts';
import { LabHostKeeper } from './keeper.ts';
import type { ProgressStore } from './store.ts';

export interface SessionParts {
  engine: ControlClient;
  store: ProgressStore;
  log: Logger;
}

/** A session that is in use; `SessionBook` makes it and ends it when nobody looks any more. */
export class Session {
  readonly id: string;
  readonly lab: LoadedLab;
  readonly terminals: TerminalList;
  readonly #parts: SessionParts;
  readonly #keeper: LabHostKeeper;
  readonly #run: LabRun;
  readonly #viewers = new Set<(message: LiveMessage) => void>();
  #isRunning = false;

  constructor(id: string, lab: LoadedLab, progress: LabProgress | undefined, parts: SessionParts) {
    this.id = id;
    this.lab = lab;
    this.#parts = parts;
    const sandbox = sandboxOf(id);
    this.#keeper = new LabHostKeeper(sandbox, parts.engine, parts.log, ({ phase }) => {
      if (phase === 'ready') this.#beginRun();
      this.#tell({ type: 'session', session: this.info() });
    });
    this.terminals = new TerminalList(sandbox, parts.engine, (terminals) => {
      this.#tell({ type: 'terminals', terminals });
    });
    this.#run = new LabRun({
      lab: lab.lab,
      host: { ...labHostOf(parts.engine, sandbox), activity: (signal) => this.#keeper.feed.read(signal) },
      ...(progress ? { progress } : {}),
      onError: (error) =>
        parts.log.warn({ session: id, reason: messageOf(error) }, 'checks were not evaluated'),
    });
    this.#run.onChange((change) => this.#changed(change.progress));
  }

  /** Makes or starts the lab host when it is not up, and follows it. */
  start(): void {
    this.#keeper.start();
  }

  get sandbox(): string {
    return this.#keeper.sandbox;
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  info(): SessionInfo {
    return { id: this.id, lab: this.lab.slug, ...this.#keeper.state };
  }

  run(): RunView {
    return this.#run.state();
  }

  progress(): LabProgress {
    return this.#run.progress();
  }

  /** Calls the listener with what changes, until the returned function is called. */
  watch(listener: (message: LiveMessage) => void): () => void {
    this.#viewers.add(listener);
    this.#watchRun();
    return () => {
      this.#viewers.delete(listener);
      this.#watchRun();
    };
  }

  /** A fresh lab host; with `forget`, the ticked steps go as well. */
  async reset(forget: boolean): Promise<void> {
    await this.#keeper.reset();
    if (forget) this.#run.restart();
    await this.terminals.refresh();
  }

  thaw(): Promise<void> {
    return this.#keeper.thaw();
  }

  /** Looks at the current step's checks again. */
  check(): void {
    this.#run.refresh();
  }

  /** Ticks off a step that has no checks. */
  acknowledge(step: string): void {
    this.#run.acknowledge(step);
  }

  /** Stops following; lab host and terminals go on. */
  async dispose(): Promise<void> {
    await Promise.all([this.#keeper.dispose(), this.#run.dispose()]);
  }

  /** Checks are looked at from the moment when there is a lab host. */
  #beginRun(): void {
    this.#isRunning = true;
    this.#run.start();
    this.#watchRun();
  }

  #watchRun(): void {
    this.#run.setWatched(this.#isRunning && this.#viewers.size > 0);
  }

  #changed(isProgress: boolean): void {
    // a tick is shown once it is stored
    const stored = isProgress
      ? this.#parts.store.save(this.id, this.lab.slug, this.#run.progress())
      : Promise.resolve();
    stored
      .catch((error: unknown) =>
        this.#parts.log.error({ session: this.id, reason: messageOf(error) }, 'progress cannot be stored'),
      )
      .finally(() => this.#tell({ type: 'run', run: this.run() }));
  }

  #tell(message: LiveMessage): void {
    for (const viewer of this.#viewers) viewer(message);
  }
}

/** The sandbox of a session in single-user mode. */
export function sandboxOf(session: string): string {
  return `local-${session}`;
}

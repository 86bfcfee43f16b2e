// One student's way through one lab: the lab host, the run of its checks, and what pages are told of both.

import type { ControlClient } from '../../engine/client/client.ts';
import { labHostOf } from '../../labs/host.ts';
import { labHosts } from '../../labs/hosts.ts';
import type { LoadedLab } from '../../labs/load.ts';
import { LabRun } from '../../labs/run/lab-run.ts';
import type { LabProgress } from '../../labs/run/state.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { LiveMessage, RunView, SessionInfo } from '../protocol.ts';
import { TerminalList } from '../terminal/list.ts';
import { type KeeperState, LabHostKeeper } from './keeper.ts';
import { placesOf } from './places.ts';
import type { ProgressStore } from './store.ts';
import { togetherOf } from './together.ts';

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
  /** by the lab's names of its hosts */
  readonly #keepers: ReadonlyMap<string, LabHostKeeper>;
  readonly #run: LabRun;
  readonly #viewers = new Set<(message: LiveMessage) => void>();
  #isRunning = false;

  constructor(id: string, lab: LoadedLab, progress: LabProgress | undefined, parts: SessionParts) {
    this.id = id;
    this.lab = lab;
    this.#parts = parts;
    const { engine, log } = parts;
    const places = placesOf(id, lab.lab);
    this.#keepers = new Map(
      places.map(({ host, request }) => [
        host,
        new LabHostKeeper(request, engine, log, () => {
          if (this.#together().phase === 'ready') this.#beginRun();
          this.#tell({ type: 'session', session: this.info() });
        }),
      ]),
    );
    const sandboxes = new Map(places.map(({ host, request }) => [host, request.name]));
    this.terminals = new TerminalList(sandboxes, engine, (terminals) => {
      this.#tell({ type: 'terminals', terminals });
    });
    const hosts = [...this.#keepers].map(([host, { sandbox, feed }]) => {
      const view = { ...labHostOf(engine, sandbox), activity: (signal: AbortSignal) => feed.read(signal) };
      return [host, view] as const;
    });
    this.#run = new LabRun({
      lab: lab.lab,
      hosts: labHosts(new Map(hosts)),
      ...(progress ? { progress } : {}),
      onError: (error) => log.warn({ session: id, reason: messageOf(error) }, 'checks were not evaluated'),
    });
    this.#run.onChange((change) => this.#changed(change.progress));
  }

  /** Makes or starts the lab hosts when they are not up, and follows them. */
  start(): void {
    for (const keeper of this.#keepers.values()) keeper.start();
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  info(): SessionInfo {
    return { id: this.id, lab: this.lab.slug, ...this.#together() };
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

  /** Fresh lab hosts; with `forget`, the ticked steps go as well. */
  async reset(forget: boolean): Promise<void> {
    await this.#each((keeper) => keeper.reset());
    if (forget) this.#run.restart();
    await this.terminals.refresh();
  }

  thaw(): Promise<void> {
    return this.#each((keeper) => keeper.thaw());
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
    await Promise.all([this.#each((keeper) => keeper.dispose()), this.#run.dispose()]);
  }

  #together(): KeeperState {
    return togetherOf(new Map([...this.#keepers].map(([host, { state }]) => [host, state])));
  }

  async #each(work: (keeper: LabHostKeeper) => Promise<void>): Promise<void> {
    await Promise.all([...this.#keepers.values()].map(work));
  }

  /** Checks are looked at from the moment when all lab hosts are there. */
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

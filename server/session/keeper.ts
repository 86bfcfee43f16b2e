// Keeps one session's lab host up while somebody uses it: makes it, starts it, follows it, and waits out an engine that is away.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlClient } from '../../engine/client/client.ts';
import { ControlError } from '../../engine/client/http.ts';
import type { Activity, CreateSandbox, SandboxInfo } from '../../engine/client/types.ts';
import { describeError, isAway, messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { SessionPhase } from '../protocol.ts';
import { ActivityFeed } from './feed.ts';

const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 2000;

export interface KeeperState {
  phase: SessionPhase;
  detail: string;
}

/** One lab host, from the first page that needs it to `dispose`. */
export class LabHostKeeper {
  readonly #request: CreateSandbox;
  readonly feed = new ActivityFeed();
  readonly #engine: ControlClient;
  readonly #log: Logger;
  readonly #onState: (state: KeeperState) => void;
  readonly #over = new AbortController();
  #state: KeeperState = { phase: 'starting', detail: 'Looking for your lab host' };
  #running: Promise<void> | undefined;

  /** `request`: what the lab host is when it has to be made */
  constructor(
    request: CreateSandbox,
    engine: ControlClient,
    log: Logger,
    onState: (state: KeeperState) => void,
  ) {
    this.#request = request;
    this.#engine = engine;
    this.#log = log;
    this.#onState = onState;
  }

  get sandbox(): string {
    return this.#request.name;
  }

  get state(): KeeperState {
    return this.#state;
  }

  /** Begins, also again after it has failed. */
  start(): void {
    if (this.#running || this.#over.signal.aborted) return;
    this.#running = this.#keep(this.#over.signal)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** A fresh lab host. Rejects when the engine cannot make one. */
  async reset(): Promise<void> {
    this.#set('resetting', 'Making a fresh lab host');
    try {
      const sandbox = await this.#engine.resetSandbox(this.sandbox);
      this.#show(sandbox.state);
    } catch (error) {
      if (error instanceof ControlError && error.status === 404) this.#set('starting', '');
      else this.#fail(error);
      throw error;
    } finally {
      this.start();
    }
  }

  /** Lets a frozen lab host go on. */
  async thaw(): Promise<void> {
    const sandbox = await this.#engine.thawSandbox(this.sandbox);
    this.#show(sandbox.state);
  }

  /** Stops following; the lab host itself goes on. */
  async dispose(): Promise<void> {
    this.#over.abort();
    await this.#running;
  }

  async #keep(signal: AbortSignal): Promise<void> {
    let pause = FIRST_PAUSE;
    while (!signal.aborted) {
      try {
        const sandbox = await this.#bringUp();
        if (signal.aborted) return;
        this.#show(sandbox.state);
        // whatever was missed while nobody followed is told as one thing that happened
        this.feed.push({ kind: 'sandbox', state: sandbox.state });
        const isRemoved = await this.#follow(signal, () => {
          pause = FIRST_PAUSE;
        });
        if (isRemoved) return this.#set('failed', 'Your lab host was removed.');
      } catch (error) {
        if (signal.aborted) return;
        if (!isAway(error) && error instanceof ControlError) throw error;
        this.#log.info({ sandbox: this.sandbox, reason: messageOf(error) }, 'the engine is away');
        this.#set('away', 'The engine does not answer. This page goes on by itself as soon as it does.');
      }
      await sleep(pause, undefined, { signal }).catch(() => undefined);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }

  /** The lab host, made or started when it is not there or not running. */
  async #bringUp(): Promise<SandboxInfo> {
    const sandbox = await this.#engine.sandbox(this.sandbox).catch((error: unknown) => {
      if (error instanceof ControlError && error.status === 404) return undefined;
      throw error;
    });
    if (!sandbox) {
      this.#set('starting', 'Making your lab host: a disk, a network and a Docker of its own');
      return this.#engine.createSandbox(this.#request);
    }
    if (sandbox.state !== 'stopped') return sandbox;
    this.#set('starting', 'Starting your lab host again');
    return this.#engine.startSandbox(this.sandbox);
  }

  /** Follows it until the stream ends; true when it was removed. */
  async #follow(signal: AbortSignal, onSign: () => void): Promise<boolean> {
    for await (const activity of this.#engine.activity(this.sandbox, { signal })) {
      onSign();
      this.feed.push(activity);
      if (activity.kind !== 'sandbox') continue;
      if (activity.state === 'deleted') return true;
      if (activity.state === 'stopped') return false;
      this.#show(activity.state);
    }
    return false;
  }

  #show(state: Exclude<Extract<Activity, { kind: 'sandbox' }>['state'], 'deleted'>): void {
    if (state === 'frozen') this.#set('frozen', 'Your lab host is paused: every program in it stands still.');
    else if (state === 'stopped') this.#set('starting', 'Starting your lab host again');
    else this.#set('ready', '');
  }

  #fail(error: unknown): void {
    this.#log.error({ sandbox: this.sandbox, err: error }, 'the lab host cannot be used');
    this.#set('failed', `Your lab host cannot be used: ${describeError(error).message}.`);
  }

  #set(phase: SessionPhase, detail: string): void {
    if (this.#state.phase === phase && this.#state.detail === detail) return;
    this.#state = { phase, detail };
    this.#onState(this.#state);
  }
}

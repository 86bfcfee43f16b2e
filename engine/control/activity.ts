// What happens in a sandbox, told to whoever watches it: Docker events, terminal output, its own state.

import type { Activity } from '../client/types.ts';
import type { LabHost } from '../sandbox/lab-host.ts';
import type { Tenants } from './tenant.ts';

type Listener = (activity: Activity) => void;

const TERMINAL_HINT_INTERVAL = 1000;

export class ActivityHub {
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #dockerSubscriptions = new Map<string, () => void>();
  readonly #hinted = new Map<string, number>();

  /** Called with everything that happens from now on; returns the unsubscribe function. */
  subscribe(sandboxId: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(sandboxId) ?? new Set();
    this.#listeners.set(sandboxId, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(sandboxId) === listeners)
        this.#listeners.delete(sandboxId);
    };
  }

  publish(sandboxId: string, activity: Activity): void {
    for (const listener of [...(this.#listeners.get(sandboxId) ?? [])]) listener(activity);
  }

  /** A terminal has said something: told at most once a second. */
  terminalOutput(sandboxId: string, terminal: string): void {
    const key = `${sandboxId}/${terminal}`;
    const now = Date.now();
    if (now - (this.#hinted.get(key) ?? 0) < TERMINAL_HINT_INTERVAL) return;
    this.#hinted.set(key, now);
    this.publish(sandboxId, { kind: 'terminal', terminal });
  }

  /** Forgets when a terminal's output was last told. */
  terminalClosed(sandboxId: string, terminal: string): void {
    this.#hinted.delete(`${sandboxId}/${terminal}`);
  }

  /** Passes the events of a sandbox's daemon on, from when it is up. */
  watchDocker(sandbox: LabHost, tenants: Tenants): void {
    this.unwatchDocker(sandbox);
    const unsubscribe = tenants.of(sandbox).events.subscribe((event) => {
      this.publish(sandbox.id, { kind: 'docker', event });
    });
    this.#dockerSubscriptions.set(sandbox.id, unsubscribe);
  }

  unwatchDocker(sandbox: LabHost): void {
    this.#dockerSubscriptions.get(sandbox.id)?.();
    this.#dockerSubscriptions.delete(sandbox.id);
  }
}

// One step that several builds need at the same time is done once, until none of them wants it any more.

import type { BuildEvent } from '../progress.ts';

/** A build that waits for a step. */
export interface Member {
  /** what the step is called in that build */
  readonly vertex: string;
  onProgress(event: BuildEvent): void;
  readonly signal: AbortSignal;
}

interface Flight<T> {
  readonly members: Set<Member>;
  readonly controller: AbortController;
  readonly result: Promise<T>;
}

/** Work under way, by key. */
export class Flights<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /**
   * Waits for the work of a key, which `begin` starts when it is not under way. Its progress goes to everyone who waits;
   * it is aborted when the last one gives up.
   */
  async join(
    key: string,
    member: Member,
    begin: (onProgress: (event: BuildEvent) => void, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    member.signal.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#begin(key, begin);
    flight.members.add(member);
    let abort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(member.signal.reason);
      member.signal.addEventListener('abort', abort, { once: true });
    });
    try {
      return await Promise.race([flight.result, aborted]);
    } finally {
      member.signal.removeEventListener('abort', abort);
      flight.members.delete(member);
      if (flight.members.size === 0) {
        flight.controller.abort(member.signal.reason);
        // what was made for it must be gone or kept before its build ends
        await flight.result.catch(() => undefined);
      }
    }
  }

  #begin(
    key: string,
    begin: (onProgress: (event: BuildEvent) => void, signal: AbortSignal) => Promise<T>,
  ): Flight<T> {
    const members = new Set<Member>();
    const controller = new AbortController();
    const tell = (event: BuildEvent) => {
      for (const member of members) member.onProgress(forMember(event, member));
    };
    const result = Promise.resolve()
      .then(() => begin(tell, controller.signal))
      .finally(() => this.#flights.delete(key));
    result.catch(() => undefined);
    const flight = { members, controller, result };
    this.#flights.set(key, flight);
    return flight;
  }
}

function forMember(event: BuildEvent, { vertex }: Member): BuildEvent {
  return event.type === 'log' || event.type === 'part' ? { ...event, vertex } : event;
}

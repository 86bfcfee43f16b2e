// Which sessions are in use. In single-user mode there is one a lab, named like the lab.

import type { LabShelf } from '../lab/shelf.ts';
import { Session, type SessionParts } from './session.ts';

/** Milliseconds that a session without a page is kept followed, so that a reload finds everything as it was. */
const LINGER = 60_000;

/** Finds, opens and ends sessions. */
export class SessionBook {
  readonly #open = new Map<string, Promise<Session>>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #shelf: LabShelf;
  readonly #parts: SessionParts;

  constructor(shelf: LabShelf, parts: SessionParts) {
    this.#shelf = shelf;
    this.#parts = parts;
  }

  /** The session, opened when it is not; undefined when there is no such lab. */
  async find(id: string): Promise<Session | undefined> {
    if (!this.#shelf.get(id)) return undefined;
    const session = await this.#opened(id);
    if (session.viewers === 0) this.#endLater(id);
    return session;
  }

  /** Like `find`, with the lab as its file says now, and the lab host on its way up. */
  async enter(id: string): Promise<Session | undefined> {
    const lab = await this.#shelf.fresh(id);
    if (!lab) return undefined;
    const known = await this.#open.get(id);
    if (known && known.lab !== lab && known.viewers === 0) await this.#end(id);
    const session = await this.find(id);
    session?.start();
    return session;
  }

  /** How many steps of each lab are done. */
  async done(id: string): Promise<number> {
    const open = await this.#open.get(id);
    const progress = open ? open.progress() : await this.#parts.store.load(id);
    const steps = this.#shelf.get(id)?.lab.steps ?? [];
    return steps.filter((step) => progress?.done[step.id] !== undefined).length;
  }

  /** Ends all; lab hosts and terminals go on. */
  async dispose(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((id) => this.#end(id)));
  }

  #opened(id: string): Promise<Session> {
    const known = this.#open.get(id);
    if (known) return known;
    const opening = this.#make(id);
    this.#open.set(id, opening);
    opening.catch(() => this.#open.delete(id));
    return opening;
  }

  async #make(id: string): Promise<Session> {
    const progress = await this.#parts.store.load(id);
    const lab = this.#shelf.get(id);
    if (!lab) throw new Error(`no lab ${id}`);
    return new Session(id, lab, progress, this.#parts);
  }

  /** Looks again after a while, and ends the session when no page is open then. */
  #endLater(id: string): void {
    clearTimeout(this.#timers.get(id));
    const timer = setTimeout(async () => {
      this.#timers.delete(id);
      const session = await this.#open.get(id)?.catch(() => undefined);
      if (session && session.viewers > 0) this.#endLater(id);
      else await this.#end(id);
    }, LINGER);
    timer.unref();
    this.#timers.set(id, timer);
  }

  async #end(id: string): Promise<void> {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    const opening = this.#open.get(id);
    this.#open.delete(id);
    const session = await opening?.catch(() => undefined);
    await session?.dispose();
  }
}

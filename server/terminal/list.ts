// The terminals of one lab host: the engine holds them, so they outlive pages and this server.

import type { ControlClient } from '../../engine/client/client.ts';
import { ControlError } from '../../engine/client/http.ts';
import type { TerminalSize } from '../../engine/client/types.ts';
import { HttpError } from '../errors.ts';
import { MAX_TERMINALS, type TerminalView } from '../protocol.ts';

const MAX_REMEMBERED = 64;

/** Makes, lists and removes terminals, and tells when the list may have changed. */
export class TerminalList {
  /** exit codes of terminals that are forgotten already, for pages that have not asked yet */
  readonly #exits = new Map<string, number | null>();

  constructor(
    private readonly sandbox: string,
    private readonly engine: ControlClient,
    private readonly onChange: (terminals: TerminalView[]) => void,
  ) {}

  /** Those whose program runs; the ended ones are forgotten. */
  async list(): Promise<TerminalView[]> {
    const all = await this.engine.terminals(this.sandbox);
    const ended = all.filter(({ state }) => state === 'ended');
    await Promise.all(
      ended.map(({ id, exitCode }) => {
        this.#remember(id, exitCode ?? null);
        return this.#forget(id);
      }),
    );
    return all
      .filter(({ state }) => state === 'running')
      .map(({ id }) => ({ id }))
      .sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }));
  }

  /** Starts a shell in a terminal; the caller chooses the id, so that asking twice makes one. */
  async create(id: string, size: TerminalSize): Promise<TerminalView> {
    const there = await this.list();
    if (!there.some((each) => each.id === id) && there.length >= MAX_TERMINALS) {
      throw new HttpError(409, `there are ${MAX_TERMINALS} terminals already; close one first`);
    }
    this.#exits.delete(id);
    await this.engine.createTerminal(this.sandbox, { id, ...size });
    await this.refresh();
    return { id };
  }

  /** Ends the program in it. */
  async remove(id: string): Promise<void> {
    await this.#forget(id);
    await this.refresh();
  }

  /** Tells the pages what there is. */
  async refresh(): Promise<void> {
    this.onChange(await this.list());
  }

  /** How the program ended; the code is null when it is not known. */
  async exitOf(id: string): Promise<{ code: number | null } | 'running' | 'gone'> {
    try {
      const terminal = await this.engine.terminal(this.sandbox, id);
      return terminal.state === 'ended' ? { code: terminal.exitCode ?? null } : 'running';
    } catch (error) {
      if (!(error instanceof ControlError && error.status === 404)) throw error;
      const code = this.#exits.get(id);
      return code === undefined ? 'gone' : { code };
    }
  }

  open(id: string, signal: AbortSignal) {
    return this.engine.openTerminal(this.sandbox, id, { replay: true, signal });
  }

  resize(id: string, size: TerminalSize): Promise<void> {
    return this.engine.resizeTerminal(this.sandbox, id, size);
  }

  #remember(id: string, exitCode: number | null): void {
    this.#exits.set(id, exitCode);
    const [oldest] = this.#exits.keys();
    if (this.#exits.size > MAX_REMEMBERED && oldest !== undefined) this.#exits.delete(oldest);
  }

  async #forget(id: string): Promise<void> {
    await this.engine.deleteTerminal(this.sandbox, id).catch((error: unknown) => {
      if (!(error instanceof ControlError && error.status === 404)) throw error;
    });
  }
}

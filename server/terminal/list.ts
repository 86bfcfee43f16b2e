// The terminals of a session's lab hosts: the engine holds them, so they outlive pages and this server.

import type { ControlClient } from '../../engine/client/client.ts';
import { ControlError } from '../../engine/client/http.ts';
import type { TerminalSize } from '../../engine/client/types.ts';
import { HttpError } from '../errors.ts';
import { MAX_TERMINALS, type TerminalView } from '../protocol.ts';

const MAX_REMEMBERED = 64;

/** What the page's id of a terminal stands for. */
interface Target {
  host: string;
  sandbox: string;
  /** the engine's id of it */
  id: string;
}

/**
 * Makes, lists and removes terminals, and tells when the list may have changed. The page's id of a terminal on the first
 * lab host is the engine's; for another host its name and a dash stand before it.
 */
export class TerminalList {
  /** exit codes of terminals that are forgotten already, for pages that have not asked yet */
  readonly #exits = new Map<string, number | null>();

  constructor(
    /** sandboxes by the lab's names of its hosts, the first first */
    private readonly sandboxes: ReadonlyMap<string, string>,
    private readonly engine: ControlClient,
    private readonly onChange: (terminals: TerminalView[]) => void,
  ) {}

  /** Those whose program runs; the ended ones are forgotten. */
  async list(): Promise<TerminalView[]> {
    const lists = await Promise.all(
      [...this.sandboxes].map(([host, sandbox]) => this.#listOf(host, sandbox)),
    );
    return lists.flat();
  }

  async #listOf(host: string, sandbox: string): Promise<TerminalView[]> {
    const all = await this.engine.terminals(sandbox);
    const ended = all.filter(({ state }) => state === 'ended');
    await Promise.all(
      ended.map(({ id, exitCode }) => {
        const shown = this.#idFor(host, id);
        this.#remember(shown, exitCode ?? null);
        return this.#forget(shown);
      }),
    );
    return all
      .filter(({ state }) => state === 'running')
      .map(({ id }) => ({ id: this.#idFor(host, id), host }))
      .sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }));
  }

  /** Starts a shell in a terminal; the caller chooses the id, so that asking twice makes one. */
  async create(id: string, size: TerminalSize): Promise<TerminalView> {
    const target = this.#target(id);
    const there = await this.list();
    if (!there.some((each) => each.id === id) && there.length >= MAX_TERMINALS) {
      throw new HttpError(409, `there are ${MAX_TERMINALS} terminals already; close one first`);
    }
    this.#exits.delete(id);
    await this.engine.createTerminal(target.sandbox, { id: target.id, ...size });
    await this.refresh();
    return { id, host: target.host };
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
    const target = this.#target(id);
    try {
      const terminal = await this.engine.terminal(target.sandbox, target.id);
      return terminal.state === 'ended' ? { code: terminal.exitCode ?? null } : 'running';
    } catch (error) {
      if (!(error instanceof ControlError && error.status === 404)) throw error;
      const code = this.#exits.get(id);
      return code === undefined ? 'gone' : { code };
    }
  }

  open(id: string, signal: AbortSignal) {
    const target = this.#target(id);
    return this.engine.openTerminal(target.sandbox, target.id, { replay: true, signal });
  }

  resize(id: string, size: TerminalSize): Promise<void> {
    const target = this.#target(id);
    return this.engine.resizeTerminal(target.sandbox, target.id, size);
  }

  #idFor(host: string, id: string): string {
    const [first] = this.sandboxes.keys();
    return host === first ? id : `${host}-${id}`;
  }

  #target(id: string): Target {
    const [first = ['', '']] = this.sandboxes;
    const prefix = /^([a-z0-9]+)-(.+)$/.exec(id);
    const [, host = '', rest = ''] = prefix ?? [];
    const sandbox = host === first[0] ? undefined : this.sandboxes.get(host);
    return sandbox === undefined ? { host: first[0], sandbox: first[1], id } : { host, sandbox, id: rest };
  }

  #remember(id: string, exitCode: number | null): void {
    this.#exits.set(id, exitCode);
    const [oldest] = this.#exits.keys();
    if (this.#exits.size > MAX_REMEMBERED && oldest !== undefined) this.#exits.delete(oldest);
  }

  async #forget(id: string): Promise<void> {
    const target = this.#target(id);
    await this.engine.deleteTerminal(target.sandbox, target.id).catch((error: unknown) => {
      if (!(error instanceof ControlError && error.status === 404)) throw error;
    });
  }
}

// The terminals of a lab host as tabs, what stands in their way when there is something, and the ports beside them.

import { html, LitElement, nothing, type PropertyValues } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import {
  MAX_TERMINALS,
  type SessionInfo,
  type TerminalView as TerminalOnServer,
} from '../../server/protocol.ts';
import { api } from '../api/api.ts';
import { controls } from '../styles/controls.ts';
import './open-port.ts';
import { coverOf } from './cover.ts';
import { panelStyles } from './panel.styles.ts';
import { freshId, type Tab, tabsOf } from './tabs.ts';
import { TerminalView } from './terminal-view.ts';

/** `<berth-terminals>`: fires `thaw` and `start` when the person asks for the lab host. */
export class TerminalPanel extends LitElement {
  static override properties = {
    session: { attribute: false },
    terminals: { attribute: false },
    connected: { type: Boolean },
    hosts: { attribute: false },
    ports: { attribute: false },
    previewTemplate: {},
    selected: { state: true },
    ended: { state: true },
    attached: { state: true },
    problem: { state: true },
  };
  declare session: SessionInfo | undefined;
  /** undefined: not known yet */
  declare terminals: TerminalOnServer[] | undefined;
  declare connected: boolean;
  /** names of the lab hosts, the first first */
  declare hosts: string[];
  declare ports: { port: number; title: string }[];
  declare previewTemplate: string;
  declare selected: string | undefined;
  declare ended: ReadonlyMap<string, number | null>;
  declare attached: ReadonlySet<string>;
  declare problem: string;
  /** the person closed the last one: no new one by itself */
  private isEmptyOnPurpose = false;
  /** terminals that are being made, by lab host */
  private readonly creating = new Map<string, Promise<void>>();

  static override styles = [controls, panelStyles];

  constructor() {
    super();
    this.connected = false;
    this.hosts = [];
    this.ports = [];
    this.previewTemplate = '';
    this.ended = new Map();
    this.attached = new Set();
    this.problem = '';
  }

  /**
   * Types a command into the terminal on top. When that is not on the lab host that is meant (the first, when none is
   * said), or there is none, it types into one that is, or makes one.
   */
  async run(command: string, host = this.hosts[0] ?? ''): Promise<void> {
    const suitable = this.tabs.filter((tab) => tab.host === host && this.view(tab.id));
    if (suitable.length === 0) await this.add(host);
    else if (!suitable.some(({ id }) => id === this.selected)) this.selected = suitable.at(-1)?.id;
    await this.updateComplete;
    const view = this.view(this.selected);
    view?.focus();
    await view?.type(command);
  }

  /** The text in the terminal on top. */
  text(): string {
    return this.view(this.selected)?.text() ?? '';
  }

  override focus() {
    this.view(this.selected)?.focus();
  }

  private get tabs(): Tab[] {
    // a terminal that has left the list stays until its own connection says why it goes
    const listed = this.terminals?.map(({ id }) => id) ?? [];
    return tabsOf([...new Set([...listed, ...this.attached])], this.ended, this.hosts);
  }

  protected override willUpdate(changed: PropertyValues<this>) {
    if (changed.has('session') && changed.get('session')?.phase === 'resetting') {
      this.ended = new Map();
      this.isEmptyOnPurpose = false;
    }
    const { tabs } = this;
    if (!tabs.some(({ id }) => id === this.selected)) this.selected = tabs.at(-1)?.id;
  }

  protected override updated() {
    const isMissing = this.terminals !== undefined && this.tabs.length === 0;
    if (isMissing && this.session?.phase === 'ready' && this.connected && !this.isEmptyOnPurpose) {
      this.addEverywhere();
    }
  }

  override render() {
    const { tabs, session } = this;
    return html`<div class="bar">
        <div class="tabs" role="tablist" aria-label="Terminals" @keydown=${this.moveAlong}>
          ${repeat(
            tabs,
            ({ id }) => id,
            (tab) => this.renderTab(tab),
          )}
        </div>
        ${(this.hosts.length > 1 ? this.hosts : ['']).map(
          (host) => html`<button
            class="add"
            type="button"
            title=${host ? `Another terminal on ${host}` : 'Another terminal'}
            aria-label=${host ? `Open another terminal on ${host}` : 'Open another terminal'}
            ?disabled=${session?.phase !== 'ready' || tabs.length >= MAX_TERMINALS}
            @click=${() => this.addByHand(host || this.hosts[0])}
          >
            +${host ? html`<small> ${host}</small>` : nothing}
          </button>`,
        )}
        <span class="spring"></span>
        <berth-open-port .ports=${this.ports} .template=${this.previewTemplate}></berth-open-port>
      </div>
      <div class="screens">
        ${repeat(
          tabs,
          ({ id }) => id,
          (tab) => this.renderScreen(tab),
        )}
        ${this.renderCover()}
      </div>
      <div class="keys">
        <span><kbd>Ctrl+Shift+C</kbd> copy</span>
        <span><kbd>Ctrl+Shift+V</kbd> paste</span>
        <span><kbd>Ctrl+Shift+.</kbd> leave the terminal</span>
      </div>`;
  }

  private renderTab({ id, label }: Tab) {
    const isSelected = id === this.selected;
    return html`<span class="tab ${isSelected ? 'selected' : ''}" role="presentation">
      <button
        type="button"
        role="tab"
        id="tab-${id}"
        aria-selected=${isSelected}
        aria-controls="screen-${id}"
        tabindex=${isSelected ? 0 : -1}
        @click=${() => this.select(id)}
      >
        ${label}
      </button>
      ${
        isSelected
          ? html`<button
              class="close"
              type="button"
              tabindex="-1"
              title="Close ${label} (Delete)"
              aria-hidden="true"
              @click=${() => this.close(id)}
            >
              ×
            </button>`
          : nothing
      }
    </span>`;
  }

  private renderScreen({ id, label, exitCode }: Tab) {
    return html`<div id="screen-${id}" role="tabpanel" aria-labelledby="tab-${id}" ?hidden=${id !== this.selected}>
      <berth-terminal
        .session=${this.session?.id ?? ''}
        .terminal=${id}
        .label=${label}
        .previewTemplate=${this.previewTemplate}
        @terminal-ended=${(event: CustomEvent<number | null>) => this.end(id, event.detail)}
        @terminal-gone=${() => this.drop(id)}
        @terminal-connected=${(event: CustomEvent<boolean>) => this.attach(id, event.detail)}
        @terminal-leave=${this.leave}
      ></berth-terminal>
      ${
        exitCode === undefined
          ? nothing
          : html`<div class="cover">
              <p>This terminal’s shell has ended${exitCode ? html` with exit code ${exitCode}` : nothing}.</p>
              <button class="button" type="button" @click=${() => this.replace(id)}>Open a new one</button>
            </div>`
      }
    </div>`;
  }

  private renderCover() {
    const cover = coverOf({
      session: this.session,
      isConnected: this.connected,
      isAttached:
        this.selected === undefined || this.attached.has(this.selected) || this.ended.has(this.selected),
      hasTerminals: this.tabs.length > 0 || !this.isEmptyOnPurpose,
      problem: this.problem,
    });
    if (!cover) return nothing;
    const { title, text, action, isWorking } = cover;
    return html`<div class="cover">
      ${title ? html`<h2>${title}</h2>` : nothing}
      ${text ? html`<p>${text}</p>` : nothing}
      ${isWorking ? html`<div class="working"></div>` : nothing}
      ${
        action
          ? html`<button class="button" type="button" @click=${() => this.act(action.event)}>${action.label}</button>`
          : nothing
      }
    </div>`;
  }

  private act(event: 'thaw' | 'start' | 'add') {
    if (event === 'add') this.addByHand();
    else this.dispatchEvent(new CustomEvent(event, { bubbles: true, composed: true }));
  }

  private view(id: string | undefined): TerminalView | undefined {
    const views = [...this.renderRoot.querySelectorAll('berth-terminal')];
    return views.find(
      (each) => each instanceof TerminalView && each.terminal === id && !this.ended.has(id),
    ) as TerminalView | undefined;
  }

  private async select(id: string | undefined) {
    this.selected = id;
    await this.updateComplete;
    this.focus();
  }

  private async addByHand(host = this.hosts[0]) {
    await this.add(host);
    await this.updateComplete;
    this.focus();
  }

  /** One on each lab host, the first on top. */
  private async addEverywhere() {
    if (this.creating.size > 0) return;
    const hosts = this.hosts.length > 0 ? this.hosts : [''];
    for (const host of hosts) if (!this.problem) await this.add(host);
    this.selected = this.tabs[0]?.id;
  }

  private add(host = this.hosts[0] ?? ''): Promise<void> {
    const underWay = this.creating.get(host);
    if (underWay) return underWay;
    const creating = this.create(host).finally(() => this.creating.delete(host));
    this.creating.set(host, creating);
    return creating;
  }

  private async create(host: string): Promise<void> {
    const { session } = this;
    if (!session) return;
    const taken = this.tabs.map((tab) => tab.id);
    const id = freshId(taken, host, this.hosts);
    try {
      await api.createTerminal(session.id, id);
      this.problem = '';
      this.isEmptyOnPurpose = false;
      const others = this.terminals?.filter((each) => each.id !== id) ?? [];
      this.terminals = [...others, { id, host }];
      this.selected = id;
    } catch (error) {
      this.isEmptyOnPurpose = true;
      this.problem = error instanceof Error ? error.message : String(error);
    }
  }

  private async close(id: string) {
    const { session } = this;
    if (!session) return;
    this.isEmptyOnPurpose = this.tabs.length === 1;
    this.drop(id);
    // it is gone from the page in any case; the engine tells what is really there
    await api.removeTerminal(session.id, id).catch(() => undefined);
    this.focus();
  }

  private drop(id: string) {
    this.terminals = this.terminals?.filter((each) => each.id !== id);
    this.ended = new Map([...this.ended].filter(([each]) => each !== id));
    this.attach(id, false);
  }

  private async replace(id: string) {
    const host = this.tabs.find((tab) => tab.id === id)?.host;
    this.drop(id);
    await this.addByHand(host);
  }

  private end(id: string, exitCode: number | null) {
    // a reset takes all of them: the list that follows is empty, and a new one is made
    if (this.session?.phase !== 'ready' || !this.terminals) return this.drop(id);
    this.ended = new Map([...this.ended, [id, exitCode]]);
  }

  private attach(id: string, isAttached: boolean) {
    const attached = new Set(this.attached);
    if (isAttached) attached.add(id);
    else attached.delete(id);
    this.attached = attached;
  }

  private leave() {
    this.renderRoot.querySelector<HTMLElement>('[role="tab"][aria-selected="true"]')?.focus();
  }

  private async moveAlong(event: KeyboardEvent) {
    const { tabs } = this;
    const index = tabs.findIndex(({ id }) => id === this.selected);
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (event.key === 'Delete' && this.selected) return this.close(this.selected);
    if (step === 0 || index < 0) return;
    event.preventDefault();
    this.selected = tabs[(index + step + tabs.length) % tabs.length]?.id;
    await this.updateComplete;
    this.leave();
  }
}

customElements.define('berth-terminals', TerminalPanel);

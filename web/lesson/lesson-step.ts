// One step of a lesson: its heading with the tick, its text, its checks.

import { css, html, LitElement, nothing } from 'lit';
import { unsafeHTML } from 'lit/directives/unsafe-html.js';
import type { StepView } from '../../server/protocol.ts';
import { controls } from '../styles/controls.ts';
import { prose } from '../styles/prose.ts';
import './check-list.ts';
import { onCodeButton } from './code-buttons.ts';

/** `<berth-step>`: fires `run-command` (detail: a RunCommand), `toggle`, `acknowledge` and `check-again`. */
export class LessonStep extends LitElement {
  static override properties = {
    number: { type: Number },
    heading: {},
    content: {},
    state: { attribute: false },
    open: { type: Boolean, reflect: true },
  };
  declare number: number;
  declare heading: string;
  /** HTML that the server rendered; nothing else may be put here */
  declare content: string;
  declare state: StepView | undefined;
  declare open: boolean;

  static override styles = [
    controls,
    prose,
    css`
      :host {
        display: grid;
        grid-template-columns: 2rem minmax(0, 1fr);
        gap: 0 0.85rem;
        scroll-margin-top: 1rem;
      }
      .rail {
        position: relative;
        display: flex;
        justify-content: center;
      }
      .rail::before {
        content: "";
        position: absolute;
        top: 0;
        bottom: 0;
        width: 1.5px;
        background: var(--line);
      }
      :host([first]) .rail::before {
        top: 1rem;
      }
      :host([last]) .rail::before {
        bottom: calc(100% - 1.5rem);
      }
      .mark {
        position: relative;
        display: grid;
        place-items: center;
        width: 1.875rem;
        height: 1.875rem;
        margin-top: 0.45rem;
        border: 1.5px solid var(--line-strong);
        border-radius: 50%;
        background: var(--paper);
        color: var(--soft);
        font-size: 0.8125rem;
        font-weight: 600;
        font-variant-numeric: tabular-nums;
      }
      .current .mark {
        border-color: var(--sea);
        background: var(--sea);
        color: var(--on-sea);
      }
      .done .mark {
        border-color: var(--done);
        background: var(--done);
        color: var(--paper);
      }
      .done .mark svg {
        width: 1rem;
        height: 1rem;
        stroke-dasharray: 20;
        animation: tick 0.4s ease-out;
      }
      @keyframes tick {
        from {
          stroke-dashoffset: 20;
        }
      }
      h2 {
        margin: 0;
      }
      h2 button {
        width: 100%;
        padding: 0.6rem 0.25rem;
        border: 0;
        background: none;
        color: var(--ink);
        font-size: 1.125rem;
        font-weight: 600;
        line-height: 1.45;
        letter-spacing: -0.008em;
        text-align: left;
        text-wrap: balance;
      }
      .ahead h2 button,
      .done:not(.open) h2 button {
        color: var(--soft);
        font-weight: 500;
      }
      h2 button:hover {
        color: var(--sea);
      }
      .body {
        padding: 0.1rem 0.25rem 1.6rem;
      }
      .checks {
        margin-top: 1.1rem;
        padding: 0.55rem 0.9rem 0.6rem;
        border: 1px solid var(--line);
        border-radius: var(--radius);
        background: var(--sunken);
      }
      .done .checks {
        border-color: transparent;
        background: var(--done-ground);
      }
      .checks header {
        display: flex;
        align-items: center;
        justify-content: space-between;
        gap: 1rem;
      }
      h3 {
        margin: 0;
        font-size: 0.875rem;
        font-weight: 600;
        color: var(--soft);
      }
      .done .checks h3 {
        color: var(--done);
      }
      .again {
        min-height: 1.75rem;
        padding: 0 0.5rem;
        margin-right: -0.5rem;
        font-size: 0.8125rem;
      }
      .read {
        margin-top: 1rem;
      }
    `,
  ];

  constructor() {
    super();
    this.number = 0;
    this.heading = '';
    this.content = '';
    this.open = false;
  }

  override render() {
    const status = this.state?.status ?? 'ahead';
    return html`<div class="rail ${status}">
        <span class="mark" aria-hidden="true">
          ${
            status === 'done'
              ? html`<svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="2.4"><path d="M3 8.5 6.6 12 13 4.5"></path></svg>`
              : this.number
          }
        </span>
      </div>
      <section class="${status} ${this.open ? 'open' : ''}" aria-labelledby="heading">
        <h2 id="heading">
          <button type="button" aria-expanded=${this.open} aria-controls="body" @click=${() => this.fire('toggle')}>
            <span class="unseen">Step ${this.number}${status === 'done' ? ', done' : ''}: </span>${this.heading}
          </button>
        </h2>
        <div class="body" id="body" ?hidden=${!this.open}>
          <div class="prose" @click=${onCodeButton}>${unsafeHTML(this.content)}</div>
          ${this.renderChecks(status)}
        </div>
      </section>`;
  }

  private renderChecks(status: StepView['status']) {
    const { state } = this;
    if (!state) return nothing;
    if (state.readOnly) {
      return status === 'current'
        ? html`<button class="button primary read" type="button" @click=${() => this.fire('acknowledge')}>Done, next step</button>`
        : nothing;
    }
    return html`<div class="checks">
      <header>
        <h3>${status === 'done' ? 'Done' : 'What this step wants to see'}</h3>
        ${
          status === 'current'
            ? html`<button class="button quiet again" type="button" @click=${() => this.fire('check-again')}>
                Check now<span class="unseen">: step ${this.number}</span>
              </button>`
            : nothing
        }
      </header>
      <berth-checks .checks=${state.checks}></berth-checks>
    </div>`;
  }

  private fire(name: string) {
    this.dispatchEvent(new CustomEvent(name, { bubbles: true, composed: true }));
  }
}

customElements.define('berth-step', LessonStep);

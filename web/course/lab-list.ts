// The front page: all lessons in the order in which to take them, and how far one is.

import { css, html, LitElement, nothing } from 'lit';
import type { LabSummary } from '../../server/protocol.ts';
import { api } from '../api/api.ts';
import '../app/theme-toggle.ts';
import { brand, brandStyles } from '../app/brand.ts';
import { controls } from '../styles/controls.ts';

/** `<berth-lab-list>` */
export class LabList extends LitElement {
  static override properties = { labs: { state: true }, problem: { state: true } };
  declare labs: LabSummary[] | undefined;
  declare problem: string;

  static override styles = [
    controls,
    brandStyles,
    css`
      :host {
        display: block;
        max-width: 46rem;
        margin: 0 auto;
        padding: 1.1rem 1.5rem 4rem;
      }
      header {
        display: flex;
        justify-content: space-between;
        align-items: center;
      }
      h1 {
        margin: clamp(2.5rem, 9vh, 5.5rem) 0 0.75rem;
        font-size: clamp(1.9rem, 4.5vw, 2.6rem);
        font-weight: 600;
        line-height: 1.15;
        letter-spacing: -0.022em;
        text-wrap: balance;
      }
      .lead {
        max-width: 36rem;
        margin: 0 0 2.75rem;
        color: var(--soft);
        font-size: 1.125rem;
        text-wrap: pretty;
      }
      ol {
        margin: 0;
        padding: 0;
        list-style: none;
        border-top: 1px solid var(--line);
      }
      li {
        position: relative;
        display: grid;
        grid-template-columns: 2.25rem 1fr auto;
        gap: 0 1rem;
        padding: 1.4rem 0.75rem;
        border-bottom: 1px solid var(--line);
        transition: background-color 0.12s;
      }
      li:hover {
        background: var(--sea-ground);
      }
      .number {
        color: var(--line-strong);
        font: 400 2rem / 1.1 var(--sans);
        font-variant-numeric: tabular-nums;
      }
      .number.done {
        color: var(--done);
      }
      h2 {
        margin: 0 0 0.2rem;
        font-size: 1.25rem;
        font-weight: 600;
        line-height: 1.3;
        letter-spacing: -0.01em;
      }
      h2 a {
        color: var(--ink);
        text-decoration: none;
      }
      h2 a::after {
        content: "";
        position: absolute;
        inset: 0;
      }
      li p {
        margin: 0;
        color: var(--soft);
        max-width: 32rem;
      }
      .facts {
        margin-top: 0.45rem;
        font-size: 0.875rem;
      }
      .state {
        align-self: center;
        min-width: 6.5rem;
        text-align: right;
        font-size: 0.875rem;
        font-weight: 500;
        color: var(--sea);
      }
      .state.done {
        color: var(--done);
      }
      progress {
        display: block;
        width: 6.5rem;
        height: 4px;
        margin-top: 0.4rem;
        margin-left: auto;
        border: 0;
        border-radius: 2px;
        overflow: hidden;
        appearance: none;
        background: var(--line);
      }
      progress::-webkit-progress-bar {
        background: var(--line);
      }
      progress::-webkit-progress-value {
        background: var(--sea);
      }
      progress::-moz-progress-bar {
        background: var(--sea);
      }
      @media (max-width: 34rem) {
        li {
          grid-template-columns: 2rem 1fr;
        }
        .number {
          font-size: 1.375rem;
        }
        .state {
          grid-column: 2;
          margin-top: 0.5rem;
          text-align: left;
        }
        progress {
          margin-left: 0;
        }
      }
    `,
  ];

  constructor() {
    super();
    this.problem = '';
  }

  override connectedCallback() {
    super.connectedCallback();
    document.title = 'Berth: lessons';
    this.load();
  }

  override render() {
    return html`<header>${brand()}<berth-theme-toggle></berth-theme-toggle></header>
      <main>
        <h1>Learn containers on a machine of your own</h1>
        <p class="lead">
          Every lesson comes with a small Linux machine, Docker on it, and nothing you could break. A step ticks itself off
          when its result is really there.
        </p>
        ${this.problem ? html`<p role="alert">${this.problem} <button class="button" @click=${this.load}>Try again</button></p>` : nothing}
        <ol aria-label="Lessons">
          ${this.labs?.map((lab, index) => this.renderLab(lab, index + 1))}
        </ol>
      </main>`;
  }

  private renderLab(lab: LabSummary, number: number) {
    const isDone = lab.done >= lab.steps;
    return html`<li>
      <span class="number ${isDone ? 'done' : ''}" aria-hidden="true">${isDone ? '✓' : number}</span>
      <div>
        <h2><a href="/labs/${lab.slug}">${lab.title}</a></h2>
        <p>${lab.summary}</p>
        <p class="facts">${lab.steps} steps · about ${lab.minutes} minutes · ${lab.difficulty}</p>
      </div>
      <div class="state ${isDone ? 'done' : ''}">
        ${isDone ? 'Done' : lab.done > 0 ? html`${lab.done} of ${lab.steps} done` : 'Start'}
        ${
          !isDone && lab.done > 0
            ? html`<progress aria-label="${lab.title}" max=${lab.steps} value=${lab.done}></progress>`
            : nothing
        }
      </div>
    </li>`;
  }

  private load() {
    api.labs().then(
      (labs) => {
        this.labs = labs;
        this.problem = '';
      },
      (error: Error) => {
        this.problem = error.message;
      },
    );
  }
}

customElements.define('berth-lab-list', LabList);

// The checks of one step: what is there, what is missing, and where to look.

import { css, html, LitElement, nothing } from 'lit';
import type { CheckView } from '../../server/protocol.ts';
import { controls } from '../styles/controls.ts';

const WORDS: Record<CheckView['status'], string> = {
  waiting: 'not looked at yet',
  passed: 'done',
  failed: 'not yet',
  unknown: 'cannot be checked now',
};

/** `<berth-checks>` */
export class CheckList extends LitElement {
  static override properties = { checks: { attribute: false } };
  declare checks: CheckView[];

  static override styles = [
    controls,
    css`
      ul {
        margin: 0;
        padding: 0;
        list-style: none;
      }
      li {
        display: grid;
        grid-template-columns: 1.25rem minmax(0, 1fr);
        gap: 0 0.6rem;
        padding: 0.35rem 0;
        font-size: 0.9375rem;
        line-height: 1.45;
      }
      .mark {
        width: 1.125rem;
        height: 1.125rem;
        margin-top: 0.13rem;
        border: 1.5px solid var(--line-strong);
        border-radius: 50%;
      }
      .failed .mark {
        border-color: var(--wait);
        background: radial-gradient(circle, var(--wait) 0 2.5px, transparent 3px);
      }
      .unknown .mark {
        border-style: dashed;
      }
      .passed .mark {
        display: grid;
        place-items: center;
        border-color: var(--done);
        background: var(--done);
        color: var(--paper);
      }
      .passed svg {
        width: 0.75rem;
        height: 0.75rem;
      }
      .title {
        font-weight: 500;
      }
      .passed .title {
        color: var(--done);
      }
      dl {
        display: grid;
        grid-template-columns: max-content minmax(0, 1fr);
        gap: 0.15rem 0.75rem;
        margin: 0.3rem 0 0.15rem;
        font-size: 0.875rem;
        overflow-wrap: anywhere;
      }
      dt {
        color: var(--soft);
      }
      dd {
        margin: 0;
      }
      code {
        padding: 0.05em 0.3em;
        border-radius: 4px;
        background: var(--raised);
        font: 0.92em var(--mono);
      }
      .hint {
        margin: 0.3rem 0 0.15rem;
        color: var(--soft);
        font-size: 0.875rem;
      }
    `,
  ];

  constructor() {
    super();
    this.checks = [];
  }

  override render() {
    return html`<ul>
      ${this.checks.map((check) => this.renderCheck(check))}
    </ul>`;
  }

  private renderCheck({ status, title, expected, found, look, hint }: CheckView) {
    const isOpen = status === 'failed' || status === 'unknown';
    return html`<li class=${status}>
      <span class="mark" aria-hidden="true">
        ${status === 'passed' ? html`<svg viewBox="0 0 12 12" fill="none" stroke="currentColor" stroke-width="2.2"><path d="M2 6.5 5 9.3 10 3"></path></svg>` : nothing}
      </span>
      <div>
        <span class="title">${withCode(title)}</span><span class="unseen">: ${WORDS[status]}</span>
        ${
          isOpen && (expected || found || look)
            ? html`<dl>
                ${fact('Expected', expected)} ${fact('Found', found)} ${fact('Look at', look)}
              </dl>`
            : nothing
        }
        ${status === 'failed' && hint ? html`<p class="hint">${withCode(hint)}</p>` : nothing}
      </div>
    </li>`;
  }
}

function fact(term: string, text: string | undefined) {
  return text ? html`<dt>${term}</dt><dd>${withCode(text)}</dd>` : nothing;
}

/** Plain text, in which `…` marks code. */
function withCode(text: string) {
  return text.split(/`([^`]+)`/).map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part));
}

customElements.define('berth-checks', CheckList);

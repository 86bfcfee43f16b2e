// Asks before a lab host is thrown away.

import { css, html, LitElement } from 'lit';
import { controls } from '../styles/controls.ts';

/** `<berth-reset-dialog>`: `show()`; fires `reset` (detail: whether to forget the ticked steps). */
export class ResetDialog extends LitElement {
  static override properties = { keep: { state: true } };
  declare keep: boolean;

  static override styles = [
    controls,
    css`
      dialog {
        max-width: 27rem;
        padding: 1.5rem 1.6rem;
        border: 1px solid var(--line);
        border-radius: 12px;
        background: var(--raised);
        color: var(--ink);
        box-shadow: 0 18px 50px rgb(0 0 0 / 0.28);
      }
      dialog::backdrop {
        background: rgb(10 16 22 / 0.5);
      }
      h2 {
        margin: 0 0 0.5rem;
        font-size: 1.25rem;
        font-weight: 600;
      }
      p {
        margin: 0 0 1rem;
      }
      label {
        display: flex;
        gap: 0.55rem;
        align-items: baseline;
        margin-bottom: 1.4rem;
      }
      input {
        accent-color: var(--sea);
      }
      .buttons {
        display: flex;
        justify-content: flex-end;
        gap: 0.6rem;
      }
    `,
  ];

  constructor() {
    super();
    this.keep = false;
  }

  override render() {
    return html`<dialog aria-labelledby="title" aria-describedby="text">
      <h2 id="title">Start over?</h2>
      <p id="text">
        Your lab host is thrown away with everything in it: containers, images, files, terminals. You get a fresh one.
      </p>
      <label>
        <input type="checkbox" .checked=${this.keep} @change=${this.choose} />
        Keep the steps that are ticked off
      </label>
      <div class="buttons">
        <button class="button" type="button" autofocus @click=${this.close}>Cancel</button>
        <button class="button primary" type="button" @click=${this.confirm}>Start over</button>
      </div>
    </dialog>`;
  }

  show() {
    this.keep = false;
    this.renderRoot.querySelector('dialog')?.showModal();
  }

  private choose(event: Event) {
    if (event.target instanceof HTMLInputElement) this.keep = event.target.checked;
  }

  private close() {
    this.renderRoot.querySelector('dialog')?.close();
  }

  private confirm() {
    this.close();
    this.dispatchEvent(new CustomEvent('reset', { detail: !this.keep }));
  }
}

customElements.define('berth-reset-dialog', ResetDialog);

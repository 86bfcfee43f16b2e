// The control that opens a port of the lab host in a new tab.

import { css, html, LitElement } from 'lit';
import { controls } from '../styles/controls.ts';

/** `<berth-open-port>` */
export class OpenPort extends LitElement {
  static override properties = { ports: { attribute: false }, template: {}, port: { state: true } };
  declare ports: { port: number; title: string }[];
  declare template: string;
  declare port: string | undefined;

  static override styles = [
    controls,
    css`
      form {
        display: flex;
        align-items: center;
        gap: 0.4rem;
        color: var(--term-soft);
        font-size: 0.8125rem;
      }
      input {
        width: 4.25rem;
        height: 1.75rem;
        padding: 0 0.45rem;
        border: 1px solid var(--term-soft);
        border-radius: 5px;
        background: var(--term);
        color: var(--term-ink);
        font: 0.8125rem var(--mono);
        appearance: textfield;
      }
      input::-webkit-inner-spin-button {
        appearance: none;
      }
      input:user-invalid {
        border-color: #f0897a;
      }
      button {
        height: 1.75rem;
        padding: 0 0.65rem;
        border: 1px solid var(--term-sea);
        border-radius: 5px;
        background: transparent;
        color: var(--term-sea);
        font-weight: 500;
        white-space: nowrap;
      }
      button:hover {
        background: var(--term-sea);
        color: var(--term);
      }
      :focus-visible {
        outline-color: var(--term-sea);
      }
    `,
  ];

  constructor() {
    super();
    this.ports = [];
    this.template = '';
  }

  override render() {
    return html`<form @submit=${this.open}>
      <label for="port">Port</label>
      <input
        id="port"
        type="number"
        min="1"
        max="65535"
        required
        inputmode="numeric"
        .value=${this.port ?? String(this.ports[0]?.port ?? 8080)}
        @input=${this.keep}
      />
      <button type="submit" title="Shows what listens on this port of your lab host, in a new tab">Open ↗</button>
    </form>`;
  }

  private keep(event: Event) {
    if (event.target instanceof HTMLInputElement) this.port = event.target.value;
  }

  private open(event: Event) {
    event.preventDefault();
    const input = this.renderRoot.querySelector('input');
    if (!input?.checkValidity()) return;
    window.open(this.template.replace('{port}', input.value), '_blank', 'noopener,noreferrer');
  }
}

customElements.define('berth-open-port', OpenPort);

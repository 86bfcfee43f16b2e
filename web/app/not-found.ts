// The page for an address that means nothing.

import { css, html, LitElement } from 'lit';
import { controls } from '../styles/controls.ts';
import { brand, brandStyles } from './brand.ts';

/** `<berth-not-found>` */
export class NotFoundPage extends LitElement {
  static override properties = { message: {} };
  declare message: string;
  static override styles = [
    controls,
    brandStyles,
    css`
      main {
        max-width: 40rem;
        margin: 0 auto;
        padding: 2rem 1.5rem;
      }
      h1 {
        margin: 3rem 0 0.75rem;
        font-size: 1.75rem;
        font-weight: 600;
        line-height: 1.25;
      }
    `,
  ];

  constructor() {
    super();
    this.message = 'Nothing is at this address.';
  }

  override render() {
    return html`<main>
      ${brand()}
      <h1>${this.message}</h1>
      <p><a href="/">All lessons</a></p>
    </main>`;
  }
}

customElements.define('berth-not-found', NotFoundPage);

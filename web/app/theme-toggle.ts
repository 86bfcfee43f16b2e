// The button that switches between light and dark.

import { css, html, LitElement } from 'lit';
import { controls } from '../styles/controls.ts';
import { applyTheme, isDark, storedTheme } from './theme.ts';

/** `<berth-theme-toggle>` */
export class ThemeToggle extends LitElement {
  static override styles = [
    controls,
    css`
      :host {
        display: inline-flex;
      }
      .button {
        padding: 0.25rem 0.5rem;
      }
      svg {
        width: 1.125rem;
        height: 1.125rem;
        fill: none;
        stroke: currentColor;
        stroke-width: 1.6;
      }
    `,
  ];

  override render() {
    const dark = isDark(storedTheme());
    return html`<button class="button quiet" type="button" title="Light or dark" @click=${this.toggle}>
      <svg viewBox="0 0 20 20" aria-hidden="true">
        <circle cx="10" cy="10" r="6.5"></circle>
        <path d="M10 3.5a6.5 6.5 0 0 1 0 13z" fill="currentColor"></path>
      </svg>
      <span class="unseen">${dark ? 'Switch to light colors' : 'Switch to dark colors'}</span>
    </button>`;
  }

  private toggle() {
    applyTheme(isDark(storedTheme()) ? 'light' : 'dark');
    this.requestUpdate();
  }
}

customElements.define('berth-theme-toggle', ThemeToggle);

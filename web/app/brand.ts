// Berth's name and mark, as a link to the list of lessons.

import { css, html } from 'lit';

export const brandStyles = css`
  .brand {
    display: inline-flex;
    align-items: center;
    gap: 0.55rem;
    color: var(--ink);
    font-size: 1.0625rem;
    font-weight: 600;
    letter-spacing: -0.01em;
    text-decoration: none;
  }
  .brand svg {
    width: 1.5rem;
    height: 1.5rem;
    color: var(--sea);
  }
`;

/** The link; the mark is a B moored at its quay. */
export function brand() {
  return html`<a class="brand" href="/">
    <svg viewBox="0 0 32 32" fill="none" stroke="currentColor" stroke-width="3" stroke-linejoin="round" aria-hidden="true">
      <path d="M8 6v20M8 15.5h10a4.75 4.75 0 0 0 0-9.5H8M8 25h11a4.75 4.75 0 0 0 0-9.5"></path>
    </svg>
    Berth
  </a>`;
}

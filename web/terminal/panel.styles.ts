// How the terminals' panel looks.

import { css } from 'lit';

export const panelStyles = css`
  :host {
    display: grid;
    grid-template-rows: auto 1fr auto;
    min-width: 0;
    min-height: 0;
    height: 100%;
    background: var(--term);
    color: var(--term-ink);
    --focus: var(--term-sea);
  }
  .bar {
    display: flex;
    align-items: center;
    flex-wrap: wrap;
    gap: 0.25rem 0.5rem;
    min-height: 2.75rem;
    padding: 0.3rem 0.75rem 0.3rem 0.5rem;
    background: var(--term-bar);
  }
  .tabs {
    display: flex;
    flex-wrap: wrap;
    gap: 0.15rem;
    min-width: 0;
  }
  .tab {
    display: inline-flex;
    align-items: center;
    border-radius: 6px;
  }
  .tab.selected {
    background: var(--term);
  }
  .tab button {
    min-height: 2rem;
    padding: 0 0.7rem;
    border: 0;
    border-radius: 6px;
    background: transparent;
    color: var(--term-soft);
    font-size: 0.8125rem;
    font-weight: 500;
  }
  .tab.selected button {
    color: var(--term-ink);
  }
  .tab button:hover {
    color: #fff;
  }
  .tab .close {
    min-width: 1.75rem;
    padding: 0;
    margin-left: -0.45rem;
    font-size: 1rem;
    color: var(--term-soft);
  }
  .add {
    min-width: 2rem;
    min-height: 2rem;
    border: 0;
    border-radius: 6px;
    background: transparent;
    color: var(--term-soft);
    font-size: 1.125rem;
  }
  .add small {
    font-size: 0.8125rem;
  }
  .add:hover {
    background: var(--term-line);
    color: #fff;
  }
  .spring {
    flex: 1;
  }
  .screens {
    position: relative;
    min-height: 0;
  }
  .screens > [role="tabpanel"] {
    position: absolute;
    inset: 0;
    display: grid;
  }
  .screens > [role="tabpanel"][hidden] {
    display: none;
  }
  .cover {
    position: absolute;
    inset: 0;
    z-index: 5;
    display: grid;
    place-content: center;
    justify-items: center;
    gap: 1rem;
    padding: 2rem;
    background: color-mix(in srgb, var(--term) 88%, transparent);
    text-align: center;
  }
  .cover p {
    margin: 0;
    max-width: 28rem;
    font-size: 0.9375rem;
    text-wrap: balance;
  }
  .cover h2 {
    margin: 0 0 -0.5rem;
    font-size: 1.125rem;
    font-weight: 600;
  }
  .cover .button {
    border-color: var(--term-sea);
    background: transparent;
    color: var(--term-sea);
  }
  .cover .button:hover {
    background: var(--term-sea);
    color: var(--term);
  }
  .working {
    width: 9rem;
    height: 3px;
    border-radius: 2px;
    background: linear-gradient(90deg, var(--term-line) 35%, var(--term-sea) 50%, var(--term-line) 65%);
    background-size: 300% 100%;
    animation: working 1.4s linear infinite;
  }
  @keyframes working {
    from {
      background-position: 100% 0;
    }
    to {
      background-position: 0 0;
    }
  }
  .keys {
    display: flex;
    flex-wrap: wrap;
    gap: 0 1.25rem;
    padding: 0.3rem 0.9rem 0.4rem;
    color: var(--term-soft);
    font-size: 0.75rem;
  }
  kbd {
    font: 0.9em var(--mono);
    color: var(--term-ink);
  }
  @media (max-width: 48rem) {
    .keys {
      display: none;
    }
  }
`;

// How the lesson's page is laid out.

import { css } from 'lit';

export const lessonStyles = css`
  :host {
    display: grid;
    grid-template-rows: auto minmax(0, 1fr);
    position: relative;
    height: 100dvh;
    /* not hidden: that could still be scrolled, by focus or by script */
    overflow: clip;
  }
  .skip {
    position: absolute;
    top: -4rem;
    left: 1rem;
    z-index: 20;
    padding: 0.5rem 1rem;
    border: 0;
    border-radius: 0 0 6px 6px;
    background: var(--sea);
    color: var(--on-sea);
  }
  .skip:focus {
    top: 0;
  }
  .top {
    display: flex;
    align-items: center;
    gap: 0.5rem 1.1rem;
    min-height: 3.25rem;
    padding: 0.35rem 0.75rem 0.35rem 1.25rem;
    border-bottom: 1px solid var(--line);
    background: var(--paper);
  }
  .top .where {
    flex: 1;
    min-width: 0;
    padding-left: 1.1rem;
    border-left: 1px solid var(--line);
    color: var(--soft);
    font-size: 0.9375rem;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .count {
    display: flex;
    align-items: center;
    gap: 0.6rem;
    color: var(--soft);
    font-size: 0.875rem;
    font-variant-numeric: tabular-nums;
    white-space: nowrap;
  }
  .pips {
    display: flex;
    gap: 3px;
  }
  .pips i {
    width: 0.875rem;
    height: 5px;
    border-radius: 2px;
    background: var(--line);
  }
  .pips i.done {
    background: var(--done);
  }
  .pips i.current {
    background: var(--sea);
  }
  main,
  berth-split {
    min-height: 0;
  }
  main {
    display: grid;
    grid-template-rows: minmax(0, 1fr);
  }
  .text {
    min-height: 0;
    overflow-y: auto;
    overscroll-behavior: contain;
    scrollbar-gutter: stable;
    background: var(--paper);
  }
  article {
    max-width: 50rem;
    padding: 2rem 1.75rem 4rem 1.5rem;
  }
  h1 {
    margin: 0 0 0.8rem;
    font-size: 1.75rem;
    font-weight: 600;
    line-height: 1.2;
    letter-spacing: -0.018em;
    text-wrap: balance;
  }
  .introduction {
    margin-bottom: 1.75rem;
    color: var(--ink);
  }
  .finish {
    margin: 1.25rem 0 0;
    padding: 1.25rem 1.4rem;
    border-radius: var(--radius);
    background: var(--done-ground);
  }
  .finish h2 {
    margin: 0 0 0.35rem;
    color: var(--done);
    font-size: 1.25rem;
    font-weight: 600;
  }
  .finish p {
    margin: 0 0 0.9rem;
  }
  .problem {
    margin: 0 0 1rem;
    padding: 0.7rem 1rem;
    border-left: 3px solid var(--bad);
    background: var(--sunken);
  }
  .waiting {
    padding: 2rem;
    color: var(--soft);
  }
  @media (max-width: 48rem) {
    :host {
      display: block;
      height: auto;
      overflow: visible;
    }
    .top {
      position: sticky;
      top: 0;
      z-index: 10;
      padding-left: 1rem;
    }
    .top .where,
    .pips {
      display: none;
    }
    .count {
      flex: 1;
      justify-content: flex-end;
    }
    main {
      display: block;
    }
    .text {
      overflow: visible;
    }
    article {
      padding: 1.25rem 1rem 1.5rem 0.75rem;
    }
    berth-terminals {
      position: sticky;
      bottom: 0;
      height: 46dvh;
      border-top: 1px solid var(--line);
    }
  }
`;

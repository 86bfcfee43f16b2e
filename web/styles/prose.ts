// How a lesson's text looks: the HTML that the server makes of markdown.

import { css } from 'lit';

export const prose = css`
  .prose {
    font-size: 1rem;
    line-height: 1.65;
    overflow-wrap: break-word;
  }
  .prose > :first-child {
    margin-top: 0;
  }
  .prose > :last-child {
    margin-bottom: 0;
  }
  .prose p,
  .prose ul,
  .prose ol,
  .prose table {
    margin: 0 0 0.9rem;
    max-width: 44rem;
  }
  .prose li + li {
    margin-top: 0.25rem;
  }
  .prose h3 {
    margin: 1.5rem 0 0.5rem;
    font-size: 1.0625rem;
    font-weight: 600;
    line-height: 1.35;
  }
  .prose :not(pre) > code {
    padding: 0.08em 0.32em;
    border-radius: 4px;
    background: var(--sunken);
    font: 0.9em var(--mono);
  }
  .prose .code {
    position: relative;
    margin: 0 0 1rem;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--raised);
    overflow: hidden;
  }
  .prose .code.run {
    border-left: 3px solid var(--sea);
  }
  .prose .code figcaption {
    padding: 0.3rem 0.9rem;
    border-bottom: 1px solid var(--line);
    color: var(--soft);
    font: 0.8125rem var(--mono);
  }
  .prose .code pre {
    margin: 0;
    padding: 0.75rem 0.9rem 0.7rem;
    white-space: pre-wrap;
    overflow-wrap: anywhere;
    font: 0.875rem / 1.55 var(--mono);
    tab-size: 4;
  }
  .prose pre code {
    font: inherit;
  }
  .prose .code .actions {
    display: flex;
    gap: 0.35rem;
    padding: 0 0.6rem 0.55rem;
  }
  .prose .code button {
    min-height: 1.75rem;
    padding: 0.1rem 0.7rem;
    border: 1px solid var(--line);
    border-radius: 5px;
    background: transparent;
    color: var(--soft);
    font-size: 0.8125rem;
    font-weight: 500;
  }
  .prose .code button:hover {
    border-color: var(--sea);
    color: var(--ink);
  }
  .prose .code button[data-run] {
    border-color: var(--sea);
    background: var(--sea-ground);
    color: var(--sea);
  }
  .prose .code button[data-run]::before {
    content: "▸ " / "";
  }
  .prose .code button[data-run]:hover {
    background: var(--sea);
    color: var(--on-sea);
  }
  .prose details {
    margin: 0 0 0.6rem;
    border-top: 1px solid var(--line);
    padding-top: 0.5rem;
  }
  .prose summary {
    color: var(--sea);
    font-size: 0.9375rem;
    font-weight: 500;
    cursor: pointer;
  }
  .prose details > div {
    padding: 0.6rem 0 0.1rem 1.05rem;
  }
  .prose aside {
    margin: 0 0 1rem;
    padding: 0.7rem 0.95rem;
    border-left: 3px solid var(--line-strong);
    border-radius: 0 var(--radius) var(--radius) 0;
    background: var(--sunken);
  }
  .prose aside.warning {
    border-left-color: var(--wait);
    background: var(--wait-ground);
  }
  .prose aside .title {
    margin: 0 0 0.2rem;
    font-size: 0.8125rem;
    font-weight: 600;
  }
  .prose aside p:last-child {
    margin-bottom: 0;
  }
  .prose a.preview {
    display: inline-block;
    padding: 0.1rem 0.65rem;
    border: 1px solid var(--sea);
    border-radius: 5px;
    background: var(--sea-ground);
    font-weight: 500;
    text-decoration: none;
  }
  .prose a[target="_blank"]::after {
    content: " ↗" / " (opens in a new tab)";
  }
  .prose img {
    max-width: 100%;
    height: auto;
    border-radius: var(--radius);
  }
  .prose table {
    border-collapse: collapse;
    font-size: 0.9375rem;
  }
  .prose th,
  .prose td {
    padding: 0.35rem 0.75rem 0.35rem 0;
    border-bottom: 1px solid var(--line);
    text-align: left;
    vertical-align: top;
  }
  .prose .right {
    text-align: right;
  }
  .prose .center {
    text-align: center;
  }
  .prose blockquote {
    margin: 0 0 0.9rem;
    padding-left: 1rem;
    border-left: 2px solid var(--line);
    color: var(--soft);
  }
`;

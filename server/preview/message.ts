// The pages that Berth itself shows in place of a preview: what is missing and what to do about it.

import type { ServerResponse } from 'node:http';

export interface PreviewMessage {
  status: number;
  title: string;
  text: string;
  /** a command that would help */
  command?: string;
  /** look again by itself */
  retry?: boolean;
}

const STYLE = `
:root { color-scheme: light dark; --paper: #f7f5f0; --ink: #1f2328; --soft: #5c6470; --line: #dcd7cc; --code: #fff; --mark: #0b5f73 }
@media (prefers-color-scheme: dark) { :root { --paper: #14181d; --ink: #e8e6e1; --soft: #a3abb6; --line: #2c333c; --code: #0d1014; --mark: #6cc5d9 } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 2rem; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.6 "IBM Plex Sans", ui-sans-serif, system-ui, sans-serif }
main { max-width: 36rem; border-top: 3px solid var(--mark); padding-top: 1.5rem }
h1 { font-size: 1.625rem; line-height: 1.25; font-weight: 600; margin: 0 0 .75rem; letter-spacing: -.01em }
p { margin: 0 0 1rem }
pre { background: var(--code); border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem; overflow-x: auto;
  font: .9375rem/1.5 "IBM Plex Mono", ui-monospace, monospace }
small { color: var(--soft); font-size: .875rem }
`;

/** The whole answer, as bytes of an HTML page without any script. */
export function renderMessage(message: PreviewMessage): string {
  const { title, text, command, retry } = message;
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    retry ? '<meta http-equiv="refresh" content="3">' : '',
    `<title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body><main>`,
    `<h1>${escapeHtml(title)}</h1><p>${escapeHtml(text)}</p>`,
    command ? `<pre><code>${escapeHtml(command)}</code></pre>` : '',
    retry ? '<p><small>This page looks again every three seconds.</small></p>' : '',
    '</main></body></html>\n',
  ].join('');
}

/** Answers a request with the message. */
export function sendMessage(response: ServerResponse, message: PreviewMessage): void {
  if (response.headersSent) return void response.destroy();
  const body = Buffer.from(renderMessage(message), 'utf8');
  response.writeHead(message.status, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': body.length,
    'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
    Connection: 'close',
  });
  response.end(body);
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

// Which Host headers this server answers to: its own names, and those of previews. Any other is a rebound DNS name.

import { LAB_SLUG } from '../../labs/load.ts';

/** Whom a request is for. */
export type Target = { kind: 'app' } | { kind: 'preview'; session: string; port: number };

/** Names and port that the server is reached by. */
export interface HostNames {
  port: number;
  previewDomain: string;
}

const OWN_NAMES = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Reads a Host header; undefined when it is none of ours. */
export function targetOf(host: string | undefined, names: HostNames): Target | undefined {
  const match = /^(\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::(\d{1,5}))?$/i.exec(host ?? '');
  const name = match?.[1]?.toLowerCase();
  if (!name || Number(match?.[2] ?? 80) !== names.port) return undefined;
  if (OWN_NAMES.has(name)) return { kind: 'app' };
  const suffix = `.${names.previewDomain}`;
  return name.endsWith(suffix) ? previewOf(name.slice(0, -suffix.length)) : undefined;
}

function previewOf(label: string): Target | undefined {
  const match = /^(\d{1,5})--(.+)$/.exec(label);
  const port = Number(match?.[1]);
  const session = match?.[2];
  if (!session || !LAB_SLUG.test(session) || port < 1 || port > 65535) return undefined;
  return { kind: 'preview', session, port };
}

/** The host (with port) that a preview is served at; `{port}` makes a template of it. */
export function previewHost(session: string, port: number | '{port}', names: HostNames): string {
  const suffix = names.port === 80 ? '' : `:${names.port}`;
  return `${port}--${session}.${names.previewDomain}${suffix}`;
}

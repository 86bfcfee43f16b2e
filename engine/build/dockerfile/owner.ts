// --chown and --chmod, and the owner of what USER makes.

import type { Owner } from '../graph.ts';

/** `user`, `user:group`, names or ids; undefined for ''. */
export function ownerOf(text: string): Owner | undefined {
  if (text === '') return undefined;
  const colon = text.indexOf(':');
  if (colon < 0) return { user: text, group: undefined };
  return { user: text.slice(0, colon), group: text.slice(colon + 1) };
}

const SYMBOLIC = /^[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+(?:,[ugoa]*(?:[-+=](?:[rwxXst]*|[ugo]))+)*$/;

/** Permission bits, or a symbolic mode as in chmod(1). Throws an Error in BuildKit's words. */
export function parseMode(text: string): number | string {
  const octal = /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : undefined;
  if (octal !== undefined && octal <= 0o7777) return octal;
  if (octal === undefined && text.length < 1024 && SYMBOLIC.test(text)) return text;
  throw new Error(`invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`);
}

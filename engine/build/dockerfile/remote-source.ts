// What ADD can take from the network: files by URL, and git repositories, by how their names look.

import { posix } from 'node:path';

/** Whether a source names a git repository (BuildKit's rules): by protocol, or by `.git` at the end of a URL's path. */
export function isGitSource(source: string): boolean {
  if (/^(?:git|ssh|git\+ssh):\/\//.test(source) || /^[^/@\s]+@[^/:\s]+:/.test(source)) return true;
  return /^https?:\/\/[^#?]*\.git(?:[#?]|$)/.test(source);
}

export function isHttpSource(source: string): boolean {
  return /^https?:\/\//.test(source) && !isGitSource(source);
}

/** What a file from a URL is called. */
export function urlFilename(url: string): string {
  const base = URL.canParse(url) ? posix.basename(decode(new URL(url).pathname)) : '';
  return base === '' || base === '.' || base === '..' || base.includes('\0') ? '__unnamed__' : base;
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** A digest as in --checksum. Throws an Error in the words of go-digest. */
export function parseChecksum(text: string): string {
  const match = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)$/.exec(text);
  if (match === null) throw new Error('invalid checksum digest format');
  if (match[1] !== 'sha256') throw new Error('unsupported digest algorithm');
  if (!/^[0-9a-f]{64}$/.test(match[2] ?? '')) throw new Error('invalid checksum digest length');
  return text;
}

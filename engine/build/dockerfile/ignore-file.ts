// .dockerignore: which files of a context stay with the client.

import { BuildError } from '../error.ts';
import { cleanPath, PatternList } from '../patterns.ts';
import { trimSpace } from './go-text.ts';

/** Patterns of one file; each file of a context is compared with all of them. */
const PATTERNS_MAX = 5_000;
const PATTERN_MAX = 4_096;

/**
 * Reads the patterns of a .dockerignore, cleaned, in their order. Throws a BuildError for a malformed one or too many.
 *
 * @example parseIgnoreFile('# all\n*\n!/src') // ['*', '!src']
 */
export function parseIgnoreFile(data: Buffer, name: string): string[] {
  const patterns: string[] = [];
  for (const line of data
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .split('\n')) {
    const text = line.startsWith('#') ? '' : trimSpace(line);
    if (text === '') continue;
    patterns.push(cleanPattern(text));
    if (patterns.length > PATTERNS_MAX || text.length > PATTERN_MAX) {
      throw new BuildError(
        `failed parsing ${name}: more than ${PATTERNS_MAX} patterns, or one longer than ${PATTERN_MAX} characters`,
      );
    }
  }
  try {
    new PatternList(patterns);
  } catch (error) {
    throw new BuildError(error instanceof Error ? error.message : String(error), undefined, { cause: error });
  }
  return patterns;
}

/** A path from the context's root on, with its `!` back in front. */
function cleanPattern(text: string): string {
  const isException = text.startsWith('!');
  const path = isException ? trimSpace(text.slice(1)) : text;
  const clean = path === '' ? '' : cleanPath(path);
  const relative = clean.length > 1 && clean.startsWith('/') ? clean.slice(1) : clean;
  return isException ? `!${relative}` : relative;
}

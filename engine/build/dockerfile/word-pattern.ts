// The patterns of `${name#pattern}`, `${name%pattern}` and `${name/pattern/…}`: `*` and `?`, without brackets.

/** Runs of characters and `?` (undefined) between the stars: `a*b?` is [[a], [b, undefined]]. */
export type WordPattern = readonly (readonly (string | undefined)[])[];

/** Comparisons of characters that one substitution may take. */
const WORK_MAX = 20_000_000;

/** Reads a pattern. Throws an Error for an escape of anything but `*`, `?`, `\`, `}` and `/`. */
export function parsePattern(text: string): WordPattern {
  const segments: (string | undefined)[][] = [[]];
  const characters = Array.from(text);
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index];
    if (character === '*') {
      segments.push([]);
    } else if (character === '?') {
      segments.at(-1)?.push(undefined);
    } else if (character === '\\') {
      index += 1;
      const escaped = characters[index] ?? '\ufffd';
      if (!'*?\\}/'.includes(escaped)) throw new Error(`invalid escape '\\${escaped}'`);
      segments.at(-1)?.push(escaped);
    } else {
      segments.at(-1)?.push(character);
    }
  }
  return segments;
}

/** Where the match that begins at `start` ends, the nearest or the furthest such place; undefined when none begins there. */
export function matchEnd(
  text: string,
  start: number,
  pattern: WordPattern,
  isLongest: boolean,
): number | undefined {
  return new Matcher(text).end(start, pattern, isLongest);
}

/** The text without the shortest or longest match at its end. */
export function trimSuffixMatch(text: string, pattern: WordPattern, isLongest: boolean): string {
  const reversed = Array.from(text).reverse();
  const backwards = pattern.map((segment) => [...segment].reverse()).reverse();
  const end = new Matcher(reversed).end(0, backwards, isLongest) ?? 0;
  return reversed.slice(end).reverse().join('');
}

/** Replaces the first match or all of them, each as long as can be. Throws an Error when that is more than `limit` or too much work. */
export function replaceMatches(
  text: string,
  pattern: WordPattern,
  replacement: string,
  replacesAll: boolean,
  limit: number,
): string {
  const matcher = new Matcher(text);
  let result = '';
  let at = 0;
  let lastEnd = -1;
  while (at <= matcher.characters.length) {
    const end = matcher.end(at, pattern, true);
    // An empty match right behind another match is none, as in Go's regexp.
    const isMatch = end !== undefined && end > lastEnd;
    if (isMatch) {
      result += replacement;
      lastEnd = end;
      if (result.length > limit) throw new Error(`the result is longer than ${limit} characters`);
    }
    if (isMatch && end > at) {
      at = end;
    } else {
      result += matcher.characters[at] ?? '';
      at += 1;
    }
    if (isMatch && !replacesAll) break;
  }
  return result + matcher.characters.slice(at).join('');
}

class Matcher {
  readonly characters: readonly string[];
  #work = 0;

  constructor(text: string | readonly string[]) {
    this.characters = typeof text === 'string' ? Array.from(text) : text;
  }

  end(start: number, pattern: WordPattern, isLongest: boolean): number | undefined {
    const [first = [], ...rest] = pattern;
    if (!this.#fits(first, start)) return undefined;
    let at = start + first.length;
    for (const [index, segment] of rest.entries()) {
      const found =
        isLongest && index === rest.length - 1 ? this.#findLast(segment, at) : this.#findFirst(segment, at);
      if (found === undefined) return undefined;
      at = found + segment.length;
    }
    return at;
  }

  #findFirst(segment: readonly (string | undefined)[], from: number): number | undefined {
    for (let at = from; at + segment.length <= this.characters.length; at += 1) {
      if (this.#fits(segment, at)) return at;
    }
    return undefined;
  }

  #findLast(segment: readonly (string | undefined)[], from: number): number | undefined {
    for (let at = this.characters.length - segment.length; at >= from; at -= 1) {
      if (this.#fits(segment, at)) return at;
    }
    return undefined;
  }

  #fits(segment: readonly (string | undefined)[], at: number): boolean {
    if (at + segment.length > this.characters.length) return false;
    for (const [index, wanted] of segment.entries()) {
      this.#work += 1;
      if (this.#work > WORK_MAX) throw new Error('the substitution takes too long');
      if (wanted !== undefined && wanted !== this.characters[at + index]) return false;
    }
    this.#work += 1;
    return true;
  }
}

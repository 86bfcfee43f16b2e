// "did you mean …?": the nearest known word to one that is not known.

/** Further away than this is no misspelling. */
const DISTANCE_MAX = 2;
/** Longer words are not compared: the time grows with the square. */
const LENGTH_MAX = 64;

/**
 * The message, with the option that `word` was probably meant to be.
 *
 * @example withSuggestion('unknown instruction: FORM', 'FORM', ['FROM', 'RUN']) // '… (did you mean FROM?)'
 */
export function withSuggestion(
  message: string,
  word: string,
  options: Iterable<string>,
  isCaseSensitive = true,
): string {
  const match = nearest(word, options, isCaseSensitive);
  return match === undefined ? message : `${message} (did you mean ${match}?)`;
}

/** The option that is at most two letters away; undefined when there is none, or it is the word itself. */
export function nearest(word: string, options: Iterable<string>, isCaseSensitive = true): string | undefined {
  if (word.length > LENGTH_MAX) return undefined;
  const fold = (text: string) => (isCaseSensitive ? text : text.toLowerCase());
  let best: string | undefined;
  let bestDistance = DISTANCE_MAX + 1;
  for (const option of [...options].sort()) {
    const distance = editDistance(fold(word), fold(option));
    if (distance === 0) return undefined;
    if (distance < bestDistance) [best, bestDistance] = [option, distance];
  }
  return best === undefined || isCaseSensitive ? best : inCaseOf(word, best);
}

function inCaseOf(example: string, text: string): string {
  if (example === example.toLowerCase()) return text.toLowerCase();
  return example === example.toUpperCase() ? text.toUpperCase() : text.toLowerCase();
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 0; i < a.length; i += 1) {
    const row = [i + 1];
    for (let j = 0; j < b.length; j += 1) {
      const substituted = (previous[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      row.push(Math.min(substituted, (previous[j + 1] ?? 0) + 1, (row[j] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}

// Regular expressions from users, run in the engine that serves everyone: only such as cannot take long.

import { InvalidParameter, messageOf, NotImplemented } from './errors.ts';

const LONGEST_PATTERN = 255;
const LONGEST_TEXT = 256;

/**
 * What tests a text. One group is fine, more, repeated ones and several repetitions are not, since they can need time
 * that grows with a power of the text's or the pattern's length. Texts that are too long do not match. Throws InvalidParameter for what is no
 * expression, and NotImplemented for one that is too complex.
 */
export function safePattern(pattern: string): (text: string) => boolean {
  let expression: RegExp;
  try {
    expression = new RegExp(pattern);
  } catch (error) {
    throw new InvalidParameter(`error parsing regexp: ${messageOf(error)}`, { cause: error });
  }
  const repetitions = (pattern.match(/(?<!\\)[*+?{]/g) ?? []).length;
  const isSimple =
    pattern.length <= LONGEST_PATTERN &&
    repetitions <= (pattern.startsWith('^') ? 2 : 1) &&
    (pattern.match(/\(/g) ?? []).length <= 1 &&
    !/\)[*+?{]|\(\?|\\[1-9k]/.test(pattern);
  if (!isSimple) throw new NotImplemented(`the regular expression ${pattern.slice(0, 80)} is too complex`);
  return (text) => text.length <= LONGEST_TEXT && expression.test(text);
}

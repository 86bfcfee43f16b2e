// How Go's standard library reads and writes text, where BuildKit's behavior or messages show it.

/** unicode.IsSpace */
const SPACE = '\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const ONE_SPACE = new RegExp(`^[${SPACE}]$`);
const LEADING_SPACE = new RegExp(`^[${SPACE}]+`);
const NOT_SPACE = new RegExp(`[^${SPACE}]`);

/** unicode.IsSpace: whether a character is white space; not for the empty string. */
export function isSpace(character: string): boolean {
  return ONE_SPACE.test(character);
}

/** The text without the white space at its start (strings.TrimLeftFunc with unicode.IsSpace). */
export function trimLeft(text: string): string {
  return text.replace(LEADING_SPACE, '');
}

/** The text without the white space at both its ends (strings.TrimSpace). */
export function trimSpace(text: string): string {
  let end = text.length;
  while (end > 0 && !NOT_SPACE.test(text.charAt(end - 1))) end -= 1;
  return trimLeft(text.slice(0, end));
}

/** The text without those of the given characters that are at its end, in linear time (strings.TrimRight). */
export function trimEnd(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\u0007', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
  ['\\', '\\\\'],
  ['"', '\\"'],
]);

/** fmt's %q of a string. */
export function quote(text: string): string {
  let quoted = '"';
  for (const character of text) quoted += SHORT_ESCAPES.get(character) ?? quoteOne(character);
  return `${quoted}"`;
}

function quoteOne(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (character === ' ' || /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(character)) return character;
  return code > 0xffff
    ? `\\U${code.toString(16).padStart(8, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** strconv.ParseBool; undefined for what it refuses. */
export function parseBool(text: string): boolean | undefined {
  if (TRUE.has(text)) return true;
  return FALSE.has(text) ? false : undefined;
}

/** Nanoseconds. */
const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ['ns', 1],
  ['us', 1e3],
  ['µs', 1e3],
  ['μs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
  ['m', 60e9],
  ['h', 3600e9],
]);
/** Go's Duration is a signed 64-bit number of nanoseconds; what JavaScript holds exactly is a hundred days. */
const DURATION_MAX = Number.MAX_SAFE_INTEGER;

/**
 * time.ParseDuration, in nanoseconds. Throws an Error in its words.
 *
 * @example parseDuration('1m30s') // 90_000_000_000
 */
export function parseDuration(text: string): number {
  const invalid = `time: invalid duration ${quote(text)}`;
  const sign = text.startsWith('-') ? -1 : 1;
  let rest = text.replace(/^[+-]/, '');
  if (rest === '0') return 0;
  if (rest === '') throw new Error(invalid);
  let total = 0;
  while (rest !== '') {
    const match = /^(\d*\.?\d*)([^\d.]*)/.exec(rest);
    const digits = match?.[1] ?? '';
    const unit = match?.[2] ?? '';
    if (!/\d/.test(digits)) throw new Error(invalid);
    if (unit === '') throw new Error(`time: missing unit in duration ${quote(text)}`);
    const nanoseconds = DURATION_UNITS.get(unit);
    if (nanoseconds === undefined) {
      throw new Error(`time: unknown unit ${quote(unit)} in duration ${quote(text)}`);
    }
    total += Math.trunc(Number(digits) * nanoseconds);
    if (total > DURATION_MAX) throw new Error(invalid);
    rest = rest.slice(digits.length + unit.length);
  }
  return sign * total;
}

/** go-units RAMInBytes: `64m`, `1.5GiB`; undefined for what it refuses. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])?i?b?)$/i.exec(text);
  if (match === null) return undefined;
  const power = match[2] === undefined ? 0 : 'kmgtp'.indexOf(match[2].toLowerCase()) + 1;
  const bytes = Math.trunc(Number(match[1]) * 1024 ** power);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Go's Duration.String() of whole nanoseconds: `1m30s`, `1.5s`, `300ms`, `0s`. */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s';
  const sign = nanoseconds < 0 ? '-' : '';
  const left = Math.abs(nanoseconds);
  for (const [unit, size] of [
    ['ns', 1e3],
    ['µs', 1e6],
    ['ms', 1e9],
  ] as const) {
    if (left < size) return `${sign}${left / (size / 1e3)}${unit}`;
  }
  const hours = Math.floor(left / 3600e9);
  const minutes = Math.floor(left / 60e9) % 60;
  const whole = Math.floor(left / 1e9) % 60;
  const fraction = String(left % 1e9)
    .padStart(9, '0')
    .replace(/0+$/, '');
  const seconds = `${whole}${fraction === '' ? '' : `.${fraction}`}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}

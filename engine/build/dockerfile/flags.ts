// The flags of an instruction (`COPY --from=build --link`): which it has, and what they were given.

import { withSuggestion } from './suggest.ts';

export type FlagKind = 'boolean' | 'string' | 'strings';
export type FlagKinds = Readonly<Record<string, FlagKind>>;

/** What the flags of one statement say. */
export interface Flags {
  isUsed(name: string): boolean;
  /** of a flag that may be given once; undefined when it is not */
  text(name: string): string | undefined;
  /** of a flag that may be given several times */
  texts(name: string): readonly string[];
  /** of a flag without a value, or with `=true` or `=false` */
  isTrue(name: string): boolean;
}

/** Reads flags. Throws an Error in BuildKit's words for one that is unknown, doubled, or lacks a value. */
export function parseFlags(given: readonly string[], kinds: FlagKinds): Flags {
  const values = new Map<string, string[]>();
  for (const flag of given) {
    const equals = flag.indexOf('=');
    const dashed = equals < 0 ? flag : flag.slice(0, equals);
    const value = equals < 0 ? undefined : flag.slice(equals + 1);
    const name = dashed.slice(2);
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) {
      throw new Error(withSuggestion(`unknown flag: ${dashed}`, name, Object.keys(kinds)));
    }
    const before = values.get(name);
    if (before !== undefined && kind !== 'strings') {
      throw new Error(`duplicate flag specified: ${dashed}`);
    }
    const text = readValue(dashed, value, kind);
    if (before === undefined) values.set(name, [text]);
    else before.push(text);
  }
  return {
    isUsed: (name) => values.has(name),
    text: (name) => values.get(name)?.[0],
    texts: (name) => values.get(name) ?? [],
    isTrue: (name) => values.get(name)?.[0] === 'true',
  };
}

function readValue(dashed: string, value: string | undefined, kind: FlagKind): string {
  if (kind !== 'boolean') {
    if (value === undefined) throw new Error(`missing a value on flag: ${dashed}`);
    return value;
  }
  if (value === '') throw new Error(`missing a value on flag: ${dashed}`);
  const folded = value?.toLowerCase() ?? 'true';
  if (folded !== 'true' && folded !== 'false') {
    throw new Error(`expecting boolean value for flag ${dashed}, not: ${value}`);
  }
  return folded;
}

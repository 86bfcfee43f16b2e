// The variables that FROM sees: predefined ones, and the ARGs before the first FROM.

import type { EscapeCharacter } from './directives.ts';
import type { ArgInstruction } from './instruction.ts';
import { locate } from './locate.ts';
import { formatPlatform, type Platform } from './platform.ts';
import { expandWord } from './word.ts';

/** BUILDPLATFORM, TARGETARCH and so on; build arguments of these names win. */
export function predefinedArgs(
  build: Platform,
  target: Platform,
  stage: string,
  buildArgs: ReadonlyMap<string, string>,
): Map<string, string> {
  const values: readonly (readonly [name: string, value: string])[] = [
    ['BUILDPLATFORM', formatPlatform(build)],
    ['BUILDOS', build.os],
    ['BUILDOSVERSION', ''],
    ['BUILDARCH', build.architecture],
    ['BUILDVARIANT', build.variant],
    ['TARGETPLATFORM', formatPlatform(target)],
    ['TARGETOS', target.os],
    ['TARGETOSVERSION', ''],
    ['TARGETARCH', target.architecture],
    ['TARGETVARIANT', target.variant],
    ['TARGETSTAGE', stage === '' ? 'default' : stage],
  ];
  return new Map(values.map(([name, value]) => [name, buildArgs.get(name) ?? value]));
}

/** Adds the ARGs before the first FROM. Throws a BuildError for values that cannot be expanded. */
export function globalArgs(
  predefined: ReadonlyMap<string, string>,
  instructions: readonly ArgInstruction[],
  buildArgs: ReadonlyMap<string, string>,
  escapeCharacter: EscapeCharacter,
): Map<string, string> {
  const args = new Map(predefined);
  for (const { args: declared, source } of instructions) {
    for (const { name, value: written } of declared) {
      try {
        const value =
          buildArgs.get(name) ??
          (written === undefined
            ? undefined
            : expandWord(written, { escape: escapeCharacter, lookup: (key) => args.get(key) }).text);
        if (value !== undefined) args.set(name, value);
      } catch (error) {
        throw locate(error, source);
      }
    }
  }
  return args;
}

// Building blocks of the checks' schemas: maps that suggest the key that was meant, lists, ranges, sizes.

import { z } from 'zod';
import { didYouMean } from '../format/suggest.ts';

/** An object schema that refuses unknown keys, and says which known one was probably meant. */
export function strictMap<Shape extends z.ZodRawShape>(shape: Shape) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') {
        return issue.keys.map((key) => `unknown key "${key}"${didYouMean(key, known)}`).join('; ');
      }
      if (issue.code === 'invalid_type') return `must be a map of ${known.join(', ')}`;
      return undefined;
    },
  });
}

/** Text; numbers and booleans that YAML made of it are taken as they were written. */
export const text = z.preprocess(
  (value) => (typeof value === 'number' || typeof value === 'boolean' ? String(value) : value),
  z.string('must be text').max(4096, 'must be at most 4096 characters'),
);

/** Text that is not empty. */
export const name = text.refine((value) => value.trim() !== '', 'must not be empty');

/** One value or a list of them; always a list afterwards. */
export function oneOrMore<Item extends z.ZodType>(item: Item) {
  return z.preprocess(
    (value) => (Array.isArray(value) ? value : [value]),
    z.array(item).min(1, 'must not be empty').max(50, 'must have at most 50 entries'),
  );
}

/** A map of names to texts, as environment variables and labels are. */
export const textMap = z.preprocess(
  (value) => value,
  z.record(z.string(), text, 'must be a map of names to values'),
);

/** A number, or `{min, max}`. */
export const range = z.preprocess(
  (value) => (typeof value === 'number' ? { min: value, max: value } : value),
  strictMap({
    min: z.number('must be a number').optional(),
    max: z.number('must be a number').optional(),
  }).refine((value) => value.min !== undefined || value.max !== undefined, 'must have min or max'),
);
export type Range = z.output<typeof range>;

/** Whether the number lies in the range, both ends included. */
export function inRange(value: number, { min, max }: Range): boolean {
  return value >= (min ?? -Infinity) && value <= (max ?? Infinity);
}

/** `2`, `at least 2`, `at most 5`, `2 to 5`. */
export function describeRange({ min, max }: Range, show: (value: number) => string = String): string {
  if (min !== undefined && max !== undefined) return min === max ? show(min) : `${show(min)} to ${show(max)}`;
  if (min !== undefined) return `at least ${show(min)}`;
  return `at most ${show(max ?? 0)}`;
}

const UNITS: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** Bytes, written as `docker run --memory` takes them: `64m`, `1g`, `1048576`. */
export const byteSize = text.transform((value, context) => {
  const match = /^(\d+(?:\.\d+)?)([kmg]?)b?$/i.exec(value.trim());
  if (!match) {
    context.addIssue({ code: 'custom', message: `"${value}" is not a size; write 64m or 1g` });
    return z.NEVER;
  }
  return Math.round(Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? 1));
});

/** `64 MiB` of 67108864. */
export function showBytes(bytes: number): string {
  const unit = (['GiB', 'MiB', 'KiB'] as const).find((_, index) => bytes >= 2 ** (30 - 10 * index));
  if (!unit) return `${bytes} bytes`;
  const value = bytes / { GiB: 2 ** 30, MiB: 2 ** 20, KiB: 2 ** 10 }[unit];
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${unit}`;
}

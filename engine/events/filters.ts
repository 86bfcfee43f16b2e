// The `filters` parameter of list operations: JSON of key to values, in today's and the older form.

import { z } from 'zod';
import { InvalidParameter } from '../errors.ts';

const Shape = z.record(z.string(), z.union([z.array(z.string()), z.record(z.string(), z.boolean())]));

/** Parsed filters; a key that is absent lets everything pass. */
export class Filters {
  private constructor(private readonly values: ReadonlyMap<string, readonly string[]>) {}

  /** Parses the parameter, and refuses keys that the operation does not know, as Docker does. */
  static parse(text: string | null | undefined, known: readonly string[]): Filters {
    if (!text) return new Filters(new Map());
    let shape: z.infer<typeof Shape>;
    try {
      shape = Shape.parse(JSON.parse(text));
    } catch (error) {
      throw new InvalidParameter('invalid filter', { cause: error });
    }
    const values = new Map<string, string[]>();
    for (const [key, value] of Object.entries(shape)) {
      if (!known.includes(key)) throw new InvalidParameter(`invalid filter '${key}'`);
      const list = Array.isArray(value) ? value : Object.keys(value).filter((name) => value[name]);
      if (list.length > 0) values.set(key, list);
    }
    return new Filters(values);
  }

  has(key: string): boolean {
    return this.values.has(key);
  }

  get(key: string): readonly string[] {
    return this.values.get(key) ?? [];
  }

  /** True when the key is absent or one of its values passes. */
  any(key: string, passes: (value: string) => boolean): boolean {
    return !this.values.has(key) || this.get(key).some(passes);
  }

  /** True when every `label` filter (`name` or `name=value`) and no `label!` filter holds. */
  labels(valueFor: (name: string) => string | undefined): boolean {
    const holds = (text: string) => {
      const equals = text.indexOf('=');
      const name = equals < 0 ? text : text.slice(0, equals);
      const value = valueFor(name);
      return value !== undefined && (equals < 0 || value === text.slice(equals + 1));
    };
    return this.get('label').every(holds) && !this.get('label!').some(holds);
  }

  /** A filter of true and false values (`dangling`, `is-task`); undefined when absent. */
  boolean(key: string): boolean | undefined {
    if (!this.has(key)) return undefined;
    const flags = this.get(key).map((value) => {
      if (['1', 'true', 'True', 'TRUE', 't', 'T'].includes(value)) return true;
      if (['0', 'false', 'False', 'FALSE', 'f', 'F'].includes(value)) return false;
      throw new InvalidParameter(`invalid filter '${key}=[${this.get(key).join(' ')}]'`);
    });
    return flags.includes(true);
  }
}

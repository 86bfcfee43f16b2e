// Comparing an object with many wanted properties: each wanted property is one expectation, all failures are told together.

import { type CheckResult, failed, PASSED } from './check.ts';

/** One wanted property of an object and what the object has instead. */
export interface Expectation {
  met: boolean;
  /** `running`, `port 8080:80/tcp published` */
  expected: string;
  found: string;
}

/** What the given parameters expect of a subject: one entry a parameter. */
export type Expectations<Parameters, Subject> = {
  [Key in keyof Parameters]?: (wanted: NonNullable<Parameters[Key]>, subject: Subject) => Expectation;
};

/** The expectations for every parameter that is given and has an entry in the table. */
export function expectationsOf<Parameters extends object, Subject>(
  table: Expectations<Parameters, Subject>,
  parameters: Parameters,
  subject: Subject,
): Expectation[] {
  const result: Expectation[] = [];
  const add = <Key extends keyof Parameters>(key: Key) => {
    const wanted = parameters[key];
    const expect = table[key];
    if (expect && wanted !== undefined && wanted !== null) result.push(expect(wanted, subject));
  };
  for (const key in table) add(key);
  return result;
}

/** Passed when all are met; otherwise a failure that names the unmet ones. */
export function judge(subject: string, expectations: readonly Expectation[], look: string): CheckResult {
  const unmet = expectations.filter((expectation) => !expectation.met);
  if (unmet.length === 0) return PASSED;
  return failed({
    expected: `${subject}: ${unmet.map((expectation) => expectation.expected).join('; ')}`,
    found: unmet.map((expectation) => expectation.found).join('; '),
    look,
  });
}

/** An expectation that two texts are the same. */
export function same(what: string, wanted: string, found: string): Expectation {
  return { met: wanted === found, expected: `${what} ${wanted}`, found: `${what} ${found || 'not set'}` };
}

/** An expectation that a map has these entries. */
export function entries(
  what: string,
  wanted: Record<string, string>,
  found: Record<string, string>,
): Expectation {
  const missing = Object.entries(wanted).filter(
    ([key, value]) => !Object.hasOwn(found, key) || found[key] !== value,
  );
  return {
    met: missing.length === 0,
    expected: `${what} ${missing.map(([key, value]) => `${key}=${value}`).join(', ')}`,
    found: missing
      .map(([key]) => (Object.hasOwn(found, key) ? `${what} ${key}=${found[key]}` : `no ${what} ${key}`))
      .join(', '),
  };
}

/** `A=1` lines as a map. */
export function environmentMap(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf('=');
      return at === -1 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}

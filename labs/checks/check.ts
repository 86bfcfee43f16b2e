// The one interface of every kind of check: data with a schema, evaluated against a lab host.

import type { z } from 'zod';
import type { Look } from './look.ts';

/** What a check found. A failure says what should be, what is, and a command or place that shows it. */
export type CheckResult = { passed: true } | ({ passed: false } & Failure);

/** Why a check failed; all three are plain text for the student. */
export interface Failure {
  /** what should be there */
  expected: string;
  /** what is there */
  found: string;
  /** where to look */
  look: string;
}

/** What happening in the lab host may change a check's outcome. */
export interface Interests {
  /** types of Docker events (`container`, `image`, `network`, `volume`) */
  docker: readonly string[];
  /** output in a terminal */
  terminal: boolean;
  /** its truth can change without any event: look again every few seconds while somebody is watching */
  poll: boolean;
}

/** One check of a step, ready to be evaluated. */
export interface Check {
  /** the kind's name: `container`, `http` … */
  readonly kind: string;
  /** what the student reads in the list of checks */
  readonly title: string;
  /** what the author says to a student whose check fails */
  readonly hint?: string;
  /** where it stands in the file */
  readonly line: number;
  /** the lab host it looks at; the first when absent */
  readonly on?: string;
  readonly interests: Interests;
  evaluate(look: Look): Promise<CheckResult>;
}

/** A check whose parameters are known to be right. */
export interface BoundCheck {
  /** the check as a sentence without a full stop, for when the author gives no title */
  readonly title: string;
  readonly interests: Interests;
  evaluate(look: Look): Promise<CheckResult>;
}

/** A kind of check, as the registry holds it. */
export interface CheckKind {
  readonly name: string;
  /** true when no title can be made from the parameters */
  readonly needsTitle: boolean;
  bind(parameters: unknown): { check: BoundCheck } | { issues: readonly z.core.$ZodIssue[] };
}

interface Definition<Schema extends z.ZodType> {
  name: string;
  schema: Schema;
  needsTitle?: boolean;
  describe(parameters: z.output<Schema>): string;
  interests(parameters: z.output<Schema>): Interests;
  evaluate(parameters: z.output<Schema>, look: Look): Promise<CheckResult>;
}

/** Makes a kind of check of its schema and its functions; the parameters' type stays inside. */
export function defineCheck<Schema extends z.ZodType>(definition: Definition<Schema>): CheckKind {
  return {
    name: definition.name,
    needsTitle: definition.needsTitle ?? false,
    bind(value) {
      const result = definition.schema.safeParse(value);
      if (!result.success) return { issues: result.error.issues };
      const parameters = result.data;
      return {
        check: {
          title: definition.describe(parameters),
          interests: definition.interests(parameters),
          evaluate: (look) => definition.evaluate(parameters, look),
        },
      };
    },
  };
}

/** The result of a check that passed. */
export const PASSED: CheckResult = { passed: true };

/** The result of a check that failed. */
export function failed(failure: Failure): CheckResult {
  return { passed: false, ...failure };
}

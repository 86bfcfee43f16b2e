// Evaluates one check, written as its author would, against a lab host; for tests.

import type { CheckResult } from '../checks/check.ts';
import { Look } from '../checks/look.ts';
import { parseChecks } from '../format/checks.ts';
import type { LabHost } from '../host.ts';

/** The result of the check in the YAML text; throws when it has problems. */
export async function evaluateYaml(yaml: string, host: LabHost): Promise<CheckResult> {
  const { checks, problems } = parseChecks(yaml, 1);
  const [check] = checks;
  if (problems.length > 0 || !check) throw new Error(JSON.stringify(problems));
  return check.evaluate(new Look(host, AbortSignal.timeout(10_000)));
}

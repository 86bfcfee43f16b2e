// The check `script`: a shell script run in the lab host, for what no other check can say.

import { z } from 'zod';
import { shellRequest } from '../shell.ts';
import { type CheckResult, defineCheck } from './check.ts';
import { type Expectation, judge } from './expectation.ts';
import type { Look } from './look.ts';
import { describeRange, inRange, name, range, strictMap } from './schema.ts';
import { describeTextMatch, excerpt, isTextAsWanted, textMatch } from './text-match.ts';

const Parameters = strictMap({
  /** bash, as root, in /root */
  run: name,
  /** exit code, 0 when not given */
  exit: range.default({ min: 0, max: 0 }),
  stdout: textMatch.optional(),
  stderr: textMatch.optional(),
  /** seconds */
  timeout: z.number('must be a number of seconds').min(1).max(8).default(5),
});
type Parameters = z.output<typeof Parameters>;

export const scriptCheck = defineCheck({
  name: 'script',
  schema: Parameters,
  needsTitle: true,
  describe: ({ run }) => excerpt(run, 60),
  interests: () => ({ docker: ['container', 'image', 'network', 'volume'], terminal: true, poll: true }),
  evaluate,
});

async function evaluate(parameters: Parameters, look: Look): Promise<CheckResult> {
  const { run, timeout } = parameters;
  const result = await look.host.run(shellRequest(run, timeout * 1000), look.signal);
  const output: Expectation[] = (['stdout', 'stderr'] as const).flatMap((stream) => {
    const wanted = parameters[stream];
    if (!wanted) return [];
    return {
      met: isTextAsWanted(wanted, result[stream]),
      expected: `output that ${describeTextMatch(wanted)}`,
      found: result[stream].trim() === '' ? 'no output' : `output "${excerpt(result[stream])}"`,
    };
  });
  const said = excerpt(result.stderr || result.stdout);
  const exit: Expectation = {
    met: !result.timedOut && inRange(result.exitCode, parameters.exit),
    expected: `exit code ${describeRange(parameters.exit)}`,
    found: result.timedOut
      ? `no end after ${timeout} seconds`
      : `exit code ${result.exitCode}${said ? `: ${said}` : ''}`,
  };
  return judge('script', [exit, ...output], excerpt(run, 300));
}

// The check `file`: a file or folder in the lab host or in a container.

import { z } from 'zod';
import { type CheckResult, defineCheck, failed, PASSED } from './check.ts';
import { type Expectation, judge, same } from './expectation.ts';
import { type FileFacts, lookAtFile } from './file-facts.ts';
import type { Look } from './look.ts';
import { name, strictMap, text } from './schema.ts';
import { describeTextMatch, isTextAsWanted, quote, textMatch } from './text-match.ts';

const Parameters = strictMap({
  path: text.refine((value) => /^\/[^\0]*$/.test(value), 'must start with /'),
  /** name or id; without it the file is the lab host's */
  container: name.optional(),
  /** true: there must be nothing at the path */
  absent: z.literal(true, 'can only be true').optional(),
  type: z.enum(['file', 'directory', 'symlink'], 'must be file, directory or symlink').optional(),
  content: textMatch.optional(),
  /** octal permission bits as in `stat -c %a`: "644" */
  mode: text
    .transform((value) => value.replace(/^0o?(?=.)/, ''))
    .pipe(z.string().regex(/^[0-7]{1,4}$/, 'must be octal, like "644"'))
    .optional(),
  /** owner, by name or number */
  owner: text.optional(),
});
type Parameters = z.output<typeof Parameters>;

export const fileCheck = defineCheck({
  name: 'file',
  schema: Parameters,
  describe: (parameters) => {
    const { absent, content } = parameters;
    if (absent) return `${placeOf(parameters)} does not exist`;
    return `${placeOf(parameters)} ${content ? describeTextMatch(content) : 'exists'}`;
  },
  interests: () => ({ docker: ['container', 'volume'], terminal: true, poll: true }),
  evaluate,
});

async function evaluate(parameters: Parameters, look: Look): Promise<CheckResult> {
  const { path, container, absent } = parameters;
  const command = `${container === undefined ? '' : `docker exec ${container} `}ls -l ${path}`;
  const outcome = await lookAtFile(path, container, look, { follow: parameters.type !== 'symlink' });
  if ('problem' in outcome) {
    return failed({ expected: placeOf(parameters), found: outcome.problem, look: 'docker ps -a' });
  }
  const { facts } = outcome;
  if (absent) {
    if (!facts) return PASSED;
    return failed({ expected: `nothing at ${placeOf(parameters)}`, found: `a ${facts.type}`, look: command });
  }
  if (!facts) return failed({ expected: placeOf(parameters), found: 'no such file', look: command });
  const showing = parameters.content ? command.replace('ls -l', 'cat') : command;
  return judge(placeOf(parameters), expectations(parameters, facts), showing);
}

function expectations({ type, content, mode, owner }: Parameters, facts: FileFacts): Expectation[] {
  const result: Expectation[] = [];
  if (type) result.push(same('type', type, facts.type));
  if (mode) result.push(same('mode', mode, facts.mode));
  if (owner) {
    const found = /^\d+$/.test(owner) ? facts.uid : facts.owner;
    result.push(same('owner', owner, found));
  }
  if (content) {
    result.push({
      met: facts.type === 'file' && isTextAsWanted(content, facts.content),
      expected: `content that ${describeTextMatch(content)}`,
      found: facts.type === 'file' ? quote(facts.content) : `a ${facts.type}`,
    });
  }
  return result;
}

function placeOf({ path, container }: Parameters): string {
  return container === undefined ? path : `${path} in container ${container}`;
}

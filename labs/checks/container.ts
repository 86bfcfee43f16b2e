// The check `container`: a container that exists, runs, has ended or is gone, and how it was made.

import type { z } from 'zod';
import { type CheckResult, defineCheck, failed, PASSED } from './check.ts';
import { type ContainerSubject, containerExpectations } from './container-expectations.ts';
import { ContainerParameters } from './container-schema.ts';
import { type Expectation, expectationsOf, judge } from './expectation.ts';
import type { Look } from './look.ts';
import { describeRange, inRange } from './schema.ts';

type Parameters = z.output<typeof ContainerParameters>;

/** containers looked at in detail when no name is given */
const MAX_CANDIDATES = 50;

export const containerCheck = defineCheck({
  name: 'container',
  schema: ContainerParameters,
  describe,
  interests: () => ({ docker: ['container', 'network'], terminal: false, poll: false }),
  evaluate,
});

async function evaluate(parameters: Parameters, look: Look): Promise<CheckResult> {
  if (parameters.name !== undefined && !parameters.count)
    return evaluateNamed(parameters.name, parameters, look);
  return evaluateCounted(parameters, look);
}

async function evaluateNamed(name: string, parameters: Parameters, look: Look): Promise<CheckResult> {
  const container = await look.container(name);
  if (parameters.absent) {
    if (!container) return PASSED;
    const expectations = expectationsOf(
      containerExpectations,
      parameters,
      await subjectOf(container, parameters, look),
    );
    if (expectations.some((expectation) => !expectation.met)) return PASSED;
    return failed({
      expected: `no container ${describe({ ...parameters, absent: undefined }).replace(/^container /, '')}`,
      found: `container ${container.Name} exists and is ${container.State.Status}`,
      look: 'docker ps -a',
    });
  }
  if (!container) {
    const others = (await look.containers()).map(nameOf);
    return failed({
      expected: `a container named ${name}`,
      found: others.length === 0 ? 'no containers at all' : `containers ${others.slice(0, 10).join(', ')}`,
      look: 'docker ps -a',
    });
  }
  const subject = await subjectOf(container, parameters, look);
  const expectations = expectationsOf(containerExpectations, parameters, subject);
  return judge(
    `container ${name}`,
    expectations,
    whereToLook(name, container.State.Status, parameters.state),
  );
}

function whereToLook(name: string, found: string, wanted: readonly string[] | undefined): string {
  if (!wanted || wanted.includes(found)) return `docker inspect ${name}`;
  return wanted.includes('running') && found === 'exited' ? `docker logs ${name}` : 'docker ps -a';
}

async function evaluateCounted(parameters: Parameters, look: Look): Promise<CheckResult> {
  const named = parameters.name;
  const all = await look.containers();
  const candidates = all
    .filter(
      (container) => named === undefined || nameOf(container) === named || container.Id.startsWith(named),
    )
    .slice(0, MAX_CANDIDATES);
  let matching = 0;
  let nearest: { name: string; unmet: Expectation[] } | undefined;
  for (const candidate of candidates) {
    const container = await look.container(candidate.Id);
    if (!container) continue;
    const expectations = expectationsOf(
      containerExpectations,
      parameters,
      await subjectOf(container, parameters, look),
    );
    const unmet = expectations.filter((expectation) => !expectation.met);
    if (unmet.length === 0) matching += 1;
    else if (!nearest || unmet.length < nearest.unmet.length) nearest = { name: container.Name, unmet };
  }
  const wanted = parameters.count ?? (parameters.absent ? { min: 0, max: 0 } : { min: 1 });
  if (inRange(matching, wanted)) return PASSED;
  const near = nearest
    ? `; nearest is ${nearest.name}: ${nearest.unmet.map((each) => each.found).join(', ')}`
    : '';
  return failed({
    expected: `${describeRange(wanted)} of: ${describe({ ...parameters, absent: undefined, count: undefined })}`,
    found: `${matching} of ${all.length} containers${matching === 0 ? near : ''}`,
    look: 'docker ps -a',
  });
}

async function subjectOf(
  container: ContainerSubject['container'],
  parameters: Parameters,
  look: Look,
): Promise<ContainerSubject> {
  const image = parameters.image === undefined ? undefined : await look.image(parameters.image);
  return { container, wantedImageId: image?.Id };
}

function nameOf(container: { Names: string[]; Id: string }): string {
  return container.Names[0]?.replace(/^\//, '') ?? container.Id.slice(0, 12);
}

/** `container web of image nginx is running, publishes 8080:80/tcp`. */
function describe(parameters: Partial<Parameters>): string {
  const { name, image, state, absent, count, ports } = parameters;
  const which = [name ?? '', image === undefined ? '' : `of image ${image}`].filter(Boolean).join(' ');
  if (absent)
    return `no container ${which}${state ? ` is ${state.join(' or ')}` : ' exists'}`.replace('  ', ' ');
  const facts = [
    state ? `is ${state.join(' or ')}` : '',
    parameters.exit === undefined ? '' : `ended with exit code ${describeRange(parameters.exit)}`,
    ports ? `publishes ${ports.map((port) => port.text).join(', ')}` : '',
    parameters.limits ? 'has its limits' : '',
    parameters.user === undefined ? '' : `runs as user ${parameters.user}`,
    parameters.command === undefined ? '' : `was started with "${parameters.command}"`,
  ].filter(Boolean);
  const number = count ? `${describeRange(count)} × ` : '';
  return `${number}container ${which} ${facts.join(', ') || 'exists'}`.replace('  ', ' ');
}

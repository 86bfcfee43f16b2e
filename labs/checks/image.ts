// The check `image`: an image that is there or not, and what its configuration says.

import { z } from 'zod';
import { type CheckResult, defineCheck, failed, PASSED } from './check.ts';
import type { ImageDetail } from './docker.ts';
import { type Expectations, entries, environmentMap, expectationsOf, judge, same } from './expectation.ts';
import type { Look } from './look.ts';
import {
  byteSize,
  describeRange,
  inRange,
  name,
  oneOrMore,
  range,
  showBytes,
  strictMap,
  text,
  textMap,
} from './schema.ts';

const Parameters = strictMap({
  name,
  /** true: there must be no such image */
  absent: z.literal(true, 'can only be true').optional(),
  /** another reference that must stand for the same image */
  sameAs: name.optional(),
  user: text.optional(),
  /** words joined by spaces, as `docker ps` shows a command */
  cmd: oneOrMore(text).optional(),
  entrypoint: oneOrMore(text).optional(),
  workdir: text.optional(),
  /** exposed ports: `80` or `53/udp` */
  exposes: oneOrMore(text).optional(),
  env: textMap.optional(),
  labels: textMap.optional(),
  /** number of layers */
  layers: range.optional(),
  maxSize: byteSize.optional(),
});
type Parameters = z.output<typeof Parameters>;

const expectations: Expectations<Parameters, ImageDetail> = {
  user: (wanted, image) => same('user', wanted, image.Config?.User ?? ''),
  cmd: (wanted, image) => same('command', wanted.join(' '), (image.Config?.Cmd ?? []).join(' ')),
  entrypoint: (wanted, image) =>
    same('entry point', wanted.join(' '), (image.Config?.Entrypoint ?? []).join(' ')),
  workdir: (wanted, image) => same('working directory', wanted, image.Config?.WorkingDir ?? ''),
  exposes: (wanted, image) => {
    const exposed = image.Config?.ExposedPorts ?? [];
    const missing = wanted.filter((port) => !exposed.includes(port.includes('/') ? port : `${port}/tcp`));
    return {
      met: missing.length === 0,
      expected: `port ${missing.join(', ')} exposed`,
      found: exposed.length === 0 ? 'no exposed ports' : `exposed ${exposed.join(', ')}`,
    };
  },
  env: (wanted, image) => entries('variable', wanted, environmentMap(image.Config?.Env ?? [])),
  labels: (wanted, image) => entries('label', wanted, image.Config?.Labels ?? {}),
  layers: (wanted, image) => ({
    met: inRange(image.RootFS.Layers.length, wanted),
    expected: `${describeRange(wanted)} layers`,
    found: `${image.RootFS.Layers.length} layers`,
  }),
  maxSize: (wanted, image) => ({
    met: image.Size <= wanted,
    expected: `at most ${showBytes(wanted)}`,
    found: showBytes(image.Size),
  }),
};

export const imageCheck = defineCheck({
  name: 'image',
  schema: Parameters,
  describe: ({ name, absent, sameAs }) => {
    if (absent) return `image ${name} does not exist`;
    return sameAs === undefined ? `image ${name} exists` : `image ${name} is the same as ${sameAs}`;
  },
  interests: () => ({ docker: ['image', 'builder'], terminal: false, poll: false }),
  evaluate,
});

async function evaluate(parameters: Parameters, look: Look): Promise<CheckResult> {
  const image = await look.image(parameters.name);
  if (parameters.absent) {
    if (!image) return PASSED;
    return failed({ expected: `no image ${parameters.name}`, found: 'it is there', look: 'docker image ls' });
  }
  if (!image) {
    return failed({ expected: `image ${parameters.name}`, found: 'no such image', look: 'docker image ls' });
  }
  const wanted = expectationsOf(expectations, parameters, image);
  if (parameters.sameAs !== undefined) {
    const other = await look.image(parameters.sameAs);
    wanted.push(same(`id of ${parameters.sameAs}:`, image.Id.slice(7, 19), other?.Id.slice(7, 19) ?? ''));
  }
  return judge(`image ${parameters.name}`, wanted, `docker image inspect ${parameters.name}`);
}

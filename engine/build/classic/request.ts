// The query of `POST /build` (version 1), as the Docker Engine API describes it: what a classic client asks for.

import { z } from 'zod';
import { InvalidParameter, messageOf, NotImplemented } from '../../errors.ts';
import {
  familiarReference,
  normalizeReference,
  parseReference,
  withDefaultTag,
} from '../../image/reference.ts';
import type { BuildRequest } from '../build.ts';

/** What the query says, for the builder and for the answer. */
export interface ClassicRequest
  extends Pick<
    BuildRequest,
    | 'target'
    | 'buildArgs'
    | 'labels'
    | 'noCache'
    | 'pulls'
    | 'platform'
    | 'network'
    | 'extraHosts'
    | 'shmSize'
  > {
  id: string;
  dockerfile: string;
  ulimits: BuildRequest['ulimits'];
  /** full references */
  references: readonly string[];
  /** the same as Docker shows them */
  tags: readonly string[];
  isQuiet: boolean;
}

const SHM_MAX = 2 ** 50;

const BuildArgs = z.record(z.string(), z.string().nullable());
const Labels = z.record(z.string(), z.string());
const Ulimits = z.array(z.object({ Name: z.string(), Soft: z.number().int(), Hard: z.number().int() }));

/** Throws InvalidParameter, and NotImplemented for what would be ignored otherwise. */
export function readClassicRequest(query: URLSearchParams): ClassicRequest {
  const text = (name: string) => query.get(name) ?? '';
  refuse(query);
  const names = query.getAll('t').filter((name) => name !== '');
  const args = parseJson('buildargs', text('buildargs'), BuildArgs) ?? {};
  return {
    id: text('buildid').slice(0, 200),
    dockerfile: dockerfilePath(text('dockerfile')),
    target: text('target'),
    // null: the value is the client's, who has none
    buildArgs: new Map(
      Object.entries(args).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
    ),
    labels: new Map(Object.entries(parseJson('labels', text('labels'), Labels) ?? {})),
    noCache: isTrue(text('nocache')),
    pulls: isTrue(text('pull')),
    platform: text('platform'),
    network: network(text('networkmode')),
    extraHosts: query
      .getAll('extrahosts')
      .flatMap((each) => each.split(','))
      .filter((each) => each !== ''),
    shmSize: size(text('shmsize')),
    ulimits: (parseJson('ulimits', text('ulimits'), Ulimits) ?? []).map(({ Name, Soft, Hard }) => {
      return { name: Name, soft: Soft, hard: Hard };
    }),
    references: names.map(normalizeReference),
    tags: names.map((name) => familiarReference(withDefaultTag(parseReference(name)))),
    isQuiet: isTrue(text('q')),
  };
}

function isTrue(value: string): boolean {
  return !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase());
}

/** Options that limit a RUN's container: Berth's builder has none of them, and a lab host has limits of its own. */
const LIMITS = ['memory', 'memswap', 'cpushares', 'cpusetcpus', 'cpusetmems', 'cpuperiod', 'cpuquota'];

function refuse(query: URLSearchParams): void {
  const text = (name: string) => query.get(name) ?? '';
  if (text('version') === '2') {
    throw new NotImplemented(
      'building by POST /build with BuildKit is not supported by Berth: the client needs docker buildx, or DOCKER_BUILDKIT=0',
    );
  }
  if (text('remote') !== '') {
    throw new NotImplemented(
      `building from ${text('remote').slice(0, 200)} is not supported by Berth: a lab host builds from its own folders and archives`,
    );
  }
  if (isTrue(text('squash'))) throw new NotImplemented('docker build --squash is not supported by Berth');
  if (!['', '[]', 'null'].includes(text('outputs'))) {
    throw new NotImplemented('outputs of a build need BuildKit: use docker buildx');
  }
  const limit = LIMITS.find((name) => !['', '0'].includes(text(name)));
  if (limit) throw new NotImplemented(`docker build with ${limit} is not supported by Berth`);
  if (!['', 'default'].includes(text('isolation'))) {
    throw new InvalidParameter(`Unsupported isolation: "${text('isolation').slice(0, 100)}"`);
  }
}

function dockerfilePath(path: string): string {
  const plain = path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
  if (plain.split('/').includes('..')) {
    throw new InvalidParameter(`Forbidden path outside the build context: ${path.slice(0, 200)} ()`);
  }
  return plain || 'Dockerfile';
}

function network(mode: string): BuildRequest['network'] {
  if (mode === '' || mode === 'default' || mode === 'bridge') return 'default';
  if (mode === 'none' || mode === 'host') return mode;
  throw new NotImplemented(`docker build --network ${mode.slice(0, 100)} is not supported by Berth`);
}

function size(text: string): number {
  if (text === '') return 0;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0 || value > SHM_MAX) {
    throw new InvalidParameter(`strconv.ParseInt: parsing "${text.slice(0, 50)}": invalid syntax`);
  }
  return value;
}

function parseJson<T extends z.ZodType>(name: string, text: string, schema: T): z.infer<T> | undefined {
  if (text === '' || text === 'null') return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new InvalidParameter(`error reading ${name}: ${messageOf(error).slice(0, 200)}`, { cause: error });
  }
}

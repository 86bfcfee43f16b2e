// Where a build's result goes, as a client's exporters say (exporter/*, and the `moby` one of Docker's daemon).

import { InvalidParameter, NotImplemented } from '../../errors.ts';
import { normalizeReference } from '../../image/reference.ts';
import type { BuildOutput, BuildResult } from '../build.ts';
import type { Value } from '../proto/message.ts';
import { sendBytes, sendFiles } from '../session/send.ts';
import type { Session } from '../session/sessions.ts';
import type { SolveRequest } from './messages.ts';
import { csv } from './options.ts';

type Attributes = ReadonlyMap<string, string>;
type OpenSession = (signal: AbortSignal) => Promise<Session>;

/** Throws NotImplemented and InvalidParameter for what no result can go to. */
export function chooseOutput(
  request: Value<typeof SolveRequest>,
  session: OpenSession,
  signal: AbortSignal,
): BuildOutput {
  const { exporters, exporterDeprecated: type, exporterAttrsDeprecated: attrs } = request;
  const all = exporters.length > 0 || type === '' ? exporters : [{ type, attrs }];
  const [first, ...others] = all;
  if (others.length > 0)
    throw new NotImplemented('more than one output of a build is not supported by Berth');
  if (!first) return { type: 'none' };
  const make = OUTPUTS[first.type];
  if (!make) throw new InvalidParameter(`exporter "${first.type.slice(0, 100)}" could not be found`);
  return make(first.attrs, session, signal);
}

type Make = (attrs: Attributes, session: OpenSession, signal: AbortSignal) => BuildOutput;

const toImageStore: Make = (attrs) => ({ type: 'image', references: references(attrs) });

function archive(layout: 'docker' | 'oci'): Make {
  return (attrs, session, signal) => {
    if (attrs.get('tar') === 'false') {
      throw new NotImplemented('tar=false is not supported by Berth: write the image to an archive');
    }
    return {
      type: 'archive',
      layout,
      references: references(attrs),
      write: async (tar) => sendBytes(await session(signal), tar, signal),
    };
  };
}

const OUTPUTS: Readonly<Record<string, Make>> = {
  moby: toImageStore,
  image: toImageStore,
  docker: archive('docker'),
  oci: archive('oci'),
  cacheonly: () => ({ type: 'none' }),
  local: (_, session, signal) => ({
    type: 'files',
    write: async (tar) => sendFiles(await session(signal), tar, signal),
  }),
  tar: (_, session, signal) => ({
    type: 'files',
    write: async (tar) => sendBytes(await session(signal), tar, signal),
  }),
};

function references(attrs: Attributes): string[] {
  return [...new Set(csv(attrs.get('name') ?? '').map(normalizeReference))];
}

/** What Solve answers when all went well. */
export function exporterResponse(
  output: BuildOutput,
  { imageId, manifestDigest }: BuildResult,
): Map<string, string> {
  const response = new Map<string, string>();
  if (imageId === undefined) return response;
  response.set('containerimage.config.digest', imageId);
  response.set('containerimage.digest', manifestDigest ?? imageId);
  const names = 'references' in output ? output.references : [];
  if (names.length > 0) response.set('image.name', names.join(','));
  return response;
}

// docker build without BuildKit: an archive in, lines of text out, by the same builder.

import { randomBytes } from 'node:crypto';
import { EngineError, InvalidParameter, messageOf } from '../../errors.ts';
import type { Bytes } from '../../image/bytes.ts';
import type { Credentials } from '../../registry/credentials.ts';
import type { BuildRequest } from '../build.ts';
import { ArchiveContext } from '../contexts/archive-context.ts';
import type { Dockerfile } from '../dockerfile/instruction.ts';
import { parseDockerfile } from '../dockerfile/read.ts';
import { runBuild } from '../feed.ts';
import type { BuildFronts } from '../parts.ts';
import { classicClient } from './client.ts';
import { type ClassicLine, ClassicOutput, classicError } from './output.ts';
import type { ClassicRequest } from './request.ts';

const MAX_DOCKERFILE = 2 * 2 ** 20;
const CONTEXT = 'context';

export interface ClassicCall {
  request: ClassicRequest;
  /** the context, an archive that may be compressed */
  body: Bytes;
  accounts: ReadonlyMap<string, Credentials>;
  /** what goes to the client; the first line begins the answer */
  write(line: ClassicLine): void;
  /** the client's going, or its cancelling */
  signal: AbortSignal;
}

/** Builds. What is wrong before the first step is thrown; what fails later is the last line. */
export async function buildClassic(fronts: BuildFronts, call: ClassicCall): Promise<void> {
  const { request, write } = call;
  const cancelling = new AbortController();
  const signal = AbortSignal.any([call.signal, cancelling.signal]);
  const cancel = () => cancelling.abort(new EngineError(499, 'the build was cancelled'));
  if (request.id !== '') fronts.classic.set(request.id, cancel);
  const archive = new ArchiveContext(fronts.contexts, CONTEXT, call.body, signal);
  try {
    const dockerfile = await readDockerfile(archive, request);
    const output = new ClassicOutput(dockerfile, request.target, request.isQuiet ? () => undefined : write);
    try {
      const { imageId = '' } = await runBuild(fronts.builder, fronts.feed, {
        ...buildRequest(call, archive, signal),
        onProgress: output.add,
      });
      output.finish();
      if (request.isQuiet) write({ stream: `${imageId}\n` });
      else for (const line of successLines(imageId, request.tags)) write(line);
    } catch (error) {
      output.fail();
      if (!(error instanceof EngineError)) fronts.log.warn({ err: error }, 'a classic build failed');
      write(classicError(messageOf(error)));
    }
  } finally {
    if (fronts.classic.get(request.id) === cancel) fronts.classic.delete(request.id);
    await archive.dispose();
  }
}

async function readDockerfile(archive: ArchiveContext, request: ClassicRequest): Promise<Dockerfile> {
  const data = await archive.readFile(request.dockerfile, MAX_DOCKERFILE);
  if (!data) throw new InvalidParameter(`Cannot locate specified Dockerfile: ${request.dockerfile}`);
  if (data.length === 0) {
    throw new InvalidParameter(`the Dockerfile (${request.dockerfile}) cannot be empty`);
  }
  return parseDockerfile({ name: request.dockerfile, data });
}

function buildRequest(
  call: ClassicCall,
  archive: ArchiveContext,
  signal: AbortSignal,
): Omit<BuildRequest, 'onProgress'> {
  const { id, dockerfile, references, tags: _, isQuiet: __, ...rest } = call.request;
  return {
    ...rest,
    id: id === '' ? randomBytes(12).toString('hex') : id,
    client: classicClient(archive, call.accounts),
    contextName: CONTEXT,
    dockerfile: { contextName: CONTEXT, path: dockerfile },
    namedContexts: new Map(),
    cgroupParent: '',
    sourceDateEpoch: undefined,
    output: { type: 'image', references },
    signal,
  };
}

function successLines(imageId: string, tags: readonly string[]): ClassicLine[] {
  return [
    { aux: { ID: imageId } },
    { stream: `Successfully built ${imageId.slice('sha256:'.length, 'sha256:'.length + 12)}\n` },
    ...tags.map((tag) => ({ stream: `Successfully tagged ${tag}\n` })),
  ];
}

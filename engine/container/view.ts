// A container's files as docker cp and docker export see them: a process in the sandbox whose root they are.

import path from 'node:path';
import { Conflict, NotFound } from '../errors.ts';
import { ZERO_TIME } from '../events/clock.ts';
import { IN_SANDBOX } from '../sandbox/sandbox.ts';
import { runTool, ToolFailed } from '../sandbox/tool.ts';
import { lowerFirst } from '../volume/words.ts';
import type { Container } from './container.ts';
import { containerDir } from './files.ts';
import { sourceOf } from './mount-point.ts';
import { layerSteps, mergedDir, overlayOptions } from './overlay.ts';
import type { ContainerParts } from './parts.ts';
import { type ContainerRecord, isRunning } from './record.ts';
import { mountVolumes, unmountVolumes } from './volumes.ts';

/** The tool's exit status when the path is not there (engine/init/view.h). */
const NOT_FOUND = 4;

export interface ViewRequest {
  verb: 'stat' | 'get' | 'put' | 'export';
  /** absolute, in the container */
  path: string;
  /** what an archive calls it */
  name: string;
  /** a directory is not replaced by something else, nor the reverse */
  keepsKinds: boolean;
  /** of everything that is put; absent: as the archive says */
  owner: { uid: number; gid: number } | undefined;
  input: AsyncIterable<Uint8Array> | undefined;
  signal: AbortSignal;
}

export const PLAIN_VIEW: Omit<ViewRequest, 'verb' | 'path' | 'signal'> = {
  name: '',
  keepsKinds: false,
  owner: undefined,
  input: undefined,
};

/** The path is not in the container. */
export class PathNotFound extends NotFound {}

/**
 * Does it, and gives what the process prints. A container that does not run cannot be started meanwhile, as in Docker: its
 * root must not be mounted twice. Throws PathNotFound, and SystemError in Docker's words.
 */
export async function* viewContainer(
  parts: ContainerParts,
  container: Container,
  request: ViewRequest,
): AsyncGenerator<Buffer> {
  const release = await keepStopped(container);
  const { record } = container;
  try {
    if (record.intent === 'removing' || !parts.containers.byFullId(record.id)) {
      throw new Conflict(`container ${record.id} is marked for removal`);
    }
    const mountsVolumes = request.verb !== 'export' && !isRunning(record);
    if (mountsVolumes) await mountVolumes(parts, record);
    try {
      yield* run(parts, container, request);
    } finally {
      if (mountsVolumes) await unmountVolumes(parts, record);
    }
  } finally {
    release();
  }
}

/** Waits for what is being done with the container; one that does not run then is kept from being started or removed. */
async function keepStopped(container: Container): Promise<() => void> {
  const done = new AbortController();
  // the reader may take nothing more, and the engine's end does not wait for it
  const over = AbortSignal.any([done.signal, container.closing.signal]);
  await new Promise<void>((resolve) => {
    container.lock.run(async () => {
      resolve();
      if (isRunning(container.record) || over.aborted) return;
      await new Promise((released) => over.addEventListener('abort', released, { once: true }));
    });
  });
  return () => done.abort();
}

async function* run(
  parts: ContainerParts,
  container: Container,
  request: ViewRequest,
): AsyncGenerator<Buffer> {
  const { record } = container;
  const { owner, input } = request;
  const flags = [
    request.keepsKinds ? 'k' : '',
    owner ? 'u' : '',
    record.hostConfig.ReadonlyRootfs ? 'r' : '',
  ].join('');
  const args = [
    request.verb,
    mergedDir(record.id),
    isRunning(record) ? '' : overlayOptions(record),
    request.path,
    request.name,
    flags,
    String(owner?.uid ?? 0),
    String(owner?.gid ?? 0),
    ...(request.verb === 'export' ? [] : mountArguments(record)),
  ];
  try {
    yield* runTool(parts.sandbox.init, {
      name: 'view',
      args,
      steps: isRunning(record) ? [] : layerSteps(record.id),
      cwd: IN_SANDBOX.dockerRoot,
      signal: AbortSignal.any([request.signal, container.closing.signal]),
      ...(input ? { input } : {}),
    });
  } catch (error) {
    if (!(error instanceof ToolFailed)) throw error;
    if (error.exitStatus === NOT_FOUND) throw new PathNotFound(request.path);
    throw new ToolFailed(lowerFirst(error.message), error.exitStatus);
  }
}

/** Its mounts as Docker shows them here: volumes, binds and the files of the network, but nothing that is not on a disk. */
function mountArguments(record: ContainerRecord): string[] {
  const own = record.mounts
    .filter((point) => point.type !== 'tmpfs')
    .flatMap((point) => {
      const isReadOnly = !point.writable || point.isReadOnlyByDriver;
      const flags = `${isReadOnly ? 'r' : ''}${point.nonRecursive ? 'b' : ''}${point.createsSource ? 'c' : ''}`;
      return [sourceOf(point), point.subpath, point.destination, flags];
    });
  if (record.state.startedAt === ZERO_TIME) return own;
  const taken = new Set(record.mounts.map((point) => point.destination));
  const access = record.hostConfig.ReadonlyRootfs ? 'r' : '';
  const files = ['hostname', 'hosts', 'resolv.conf']
    .filter((name) => !taken.has(`/etc/${name}`))
    .flatMap((name) => [`${containerDir(record.id)}/${name}`, '', `/etc/${name}`, `o${access}`]);
  return [...own, ...files];
}

/** The path as Docker resolves it by its name alone; a slash or `/.` at the end stays, since it means a directory. */
export function pathInContainer(text: string): string {
  const clean = path.posix.normalize(`/${text}`).replace(/(.)\/+$/, '$1');
  if (/(^|\/)\.$/.test(text)) return clean === '/' ? '/.' : `${clean}/.`;
  return text.endsWith('/') && clean !== '/' ? `${clean}/` : clean;
}

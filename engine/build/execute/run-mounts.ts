// RUN --mount: files of other steps and of the client, caches, memory and secrets, put in their places for one process.

import { NotImplemented } from '../../errors.ts';
import type { OciMount } from '../../runtime/oci.ts';
import type { Step } from '../../sandbox/init-types.ts';
import { BuildError } from '../error.ts';
import type { ExecMount, ExecOperation } from '../graph.ts';
import { CACHE_MOUNTS, type CacheMount } from './cache-mounts.ts';
import type { ExecuteParts, StepCall, StepResult } from './executor.ts';
import { readOnlyOverlay } from './file.ts';
import type { RunPlace } from './run.ts';
import { EMPTY, lowerDirs } from './snapshot.ts';

/** What a process's mounts need: before it, in its specification, and after it. */
export interface PreparedMounts {
  steps: Step[];
  specs: OciMount[];
  undo: Step[];
  /** variables that hold secrets */
  env: string[];
  release(): void;
}

const NO_PLACE = 'rprivate';

export async function prepareMounts(
  parts: ExecuteParts,
  operation: ExecOperation,
  call: StepCall,
  place: RunPlace,
): Promise<PreparedMounts> {
  const caches: CacheMount[] = [];
  const prepared: PreparedMounts = {
    steps: [],
    specs: [],
    undo: [],
    env: [],
    release: () => {
      for (const cache of caches) cache.release();
    },
  };
  try {
    for (const [index, mount] of operation.mounts.entries()) {
      await prepareOne(parts, mount, call, `${place.run}/m${index}`, { prepared, caches, place, index });
    }
    return prepared;
  } catch (error) {
    prepared.release();
    throw error;
  }
}

interface Work {
  prepared: PreparedMounts;
  caches: CacheMount[];
  place: RunPlace;
  index: number;
}

async function prepareOne(
  parts: ExecuteParts,
  mount: ExecMount,
  call: StepCall,
  own: string,
  { prepared, caches, place, index }: Work,
): Promise<void> {
  const { steps, specs, undo } = prepared;
  if (mount.type === 'tmpfs') {
    const size = mount.size > 0 ? [`size=${mount.size}`] : [];
    specs.push({
      destination: mount.target,
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'nodev', ...size],
    });
  } else if (mount.type === 'bind') {
    const input = mount.from === undefined ? undefined : call.inputs[mount.from];
    const source = bindSource(input, mount.readonly, own, { steps, undo, place, index });
    specs.push(bind(mount.target, `${source}/${relative(mount.source)}`, mount.readonly));
  } else if (mount.type === 'cache') {
    if (mount.from !== undefined) {
      throw new NotImplemented('RUN --mount=type=cache,from=… is not supported by Berth');
    }
    const cache = await parts.caches.take(mount.id, mount.sharing, call.signal);
    caches.push(cache);
    const { mode, uid, gid } = mount;
    // --no-cache begins with an empty one, unless others are using it
    if (call.vertex.ignoresCache && cache.isAlone) steps.push({ kind: 'rmtree', path: cache.directory });
    steps.push(
      { kind: 'mkdir', path: CACHE_MOUNTS, mode: 0o700 },
      { kind: 'mkdir', path: cache.directory, mode, uid, gid },
    );
    specs.push(bind(mount.target, cache.directory, mount.readonly));
  } else if (mount.type === 'secret') {
    await prepareSecret(mount, call, own, prepared);
  } else {
    await refuseSsh(mount, call);
  }
}

function relative(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.' && part !== '..')
    .join('/');
}

function bind(destination: string, source: string, isReadOnly: boolean): OciMount {
  return { destination, type: 'bind', source, options: ['rbind', NO_PLACE, isReadOnly ? 'ro' : 'rw'] };
}

/** Where the files of another step can be mounted from; what is written to them is dropped. */
function bindSource(
  input: StepResult | undefined,
  isReadOnly: boolean,
  own: string,
  { steps, undo, place, index }: Pick<PreparedMounts, 'steps' | 'undo'> & Pick<Work, 'place' | 'index'>,
): string {
  if (input?.kind === 'local' && isReadOnly) return input.context.directory;
  const snapshot = input?.kind === 'files' ? input.snapshot : EMPTY;
  steps.push({ kind: 'mkdir', path: own });
  undo.push({ kind: 'umount', path: own });
  if (isReadOnly) {
    steps.push(readOnlyOverlay(own, snapshot));
    return own;
  }
  const scratch = `${place.directory}/scratch${index}`;
  const lower = input?.kind === 'local' ? input.context.directory : lowerDirs(snapshot);
  steps.push(
    { kind: 'mkdir', path: `${scratch}/files`, mode: 0o755 },
    { kind: 'mkdir', path: `${scratch}/work`, mode: 0o700 },
    {
      kind: 'mount',
      source: 'overlay',
      path: own,
      fstype: 'overlay',
      data: `lowerdir=${lower},upperdir=${scratch}/files,workdir=${scratch}/work,userxattr`,
    },
  );
  undo.push({ kind: 'rmtree', path: scratch });
  return own;
}

async function prepareSecret(
  mount: Extract<ExecMount, { type: 'secret' }>,
  { build, vertex, signal }: StepCall,
  own: string,
  { steps, specs, env }: PreparedMounts,
): Promise<void> {
  const value = await build.client.secret(mount.id, signal);
  if (value === undefined) {
    if (mount.required) throw new BuildError(`secret ${mount.id}: not found`, vertex.source);
    return;
  }
  if (mount.env !== undefined) env.push(`${mount.env}=${value.toString('utf8')}`);
  if (mount.target === undefined) return;
  steps.push(
    { kind: 'write', path: own, data: value, mode: mount.mode },
    { kind: 'exec', argv: ['chown', `${mount.uid}:${mount.gid}`, own] },
  );
  specs.push(bind(mount.target, own, true));
}

/** The client's agent would need a socket in the sandbox that the engine serves. */
async function refuseSsh(
  mount: Extract<ExecMount, { type: 'ssh' }>,
  { build, vertex, signal }: StepCall,
): Promise<void> {
  const stream = await build.client.ssh(mount.id, signal);
  if (stream === undefined && !mount.required) return;
  if (stream && 'destroy' in stream && typeof stream.destroy === 'function') stream.destroy();
  throw new BuildError('RUN --mount=type=ssh is not supported by Berth', vertex.source);
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { InitApi, Step } from '../../sandbox/init-types.ts';
import type { BuildRequest } from '../build.ts';
import type { ContextEntry } from '../context.ts';
import { operationDigest } from '../dockerfile/draft.ts';
import { BuildError } from '../error.ts';
import type { StepCall, StepResult } from '../execute/executor.ts';
import type { Snapshot } from '../execute/snapshot.ts';
import type { FileAction, Operation, Vertex } from '../graph.ts';
import type { BuildEvent } from '../progress.ts';
import { BuildCache } from './cache.ts';
import { Solver } from './solver.ts';
import { pruneCache } from './usage.ts';

let directory: string;
let cache: BuildCache;
let solver: Solver;
/** names of the steps that were done, in order of their beginning */
let done: string[];
let removed: string[];
let entries: ContextEntry[];
let perform: (call: StepCall) => Promise<void>;

const init = {
  start: async (steps: readonly Step[]) => {
    for (const step of steps) if (step.kind === 'rmtree') removed.push(step.path);
    return { pid: 0 };
  },
} as Partial<InitApi> as InitApi;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'berth-solve-'));
  cache = await BuildCache.open(directory, init, pino({ level: 'silent' }));
  done = [];
  removed = [];
  entries = [file('a', '1'), file('b', '1')];
  perform = async () => {};
  solver = new Solver({ cache, executor: { run: execute, layerDigest, discard } });
});

afterEach(async () => {
  await cache.flush();
  await rm(directory, { recursive: true, force: true });
});

let layerNumber = 0;

const layerDigest = async ({ layers }: Snapshot) => `sha256:${layers.at(-1)?.location}`;
const discard = async () => {};

async function execute(call: StepCall): Promise<StepResult> {
  done.push(call.vertex.name);
  await perform(call);
  const { operation } = call.vertex;
  if (operation.kind === 'local') {
    return {
      kind: 'local',
      context: { directory: '/x', entries, release: async () => void done.push('release') },
    };
  }
  layerNumber += 1;
  const layer = {
    location: `buildkit/${layerNumber.toString(16).padStart(12, '0')}/files`,
    diffId: undefined,
    created: undefined,
    size: 1,
  };
  return { kind: 'files', snapshot: { layers: [layer] } };
}

function file(name: string, content: string): ContextEntry {
  return {
    path: name,
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 1,
    target: '',
    digest: `sha256:${content}`,
  };
}

function vertex(name: string, operation: Operation, inputs: readonly Vertex[], ignoresCache = false): Vertex {
  return { name, operation, inputs, ignoresCache, digest: operationDigest(operation, inputs) };
}

const base = (id = 'sha256:base') => vertex('base', { kind: 'image', reference: 'base', imageId: id }, []);
const context = () =>
  vertex('context', { kind: 'local', name: 'context', includePatterns: [], excludePatterns: [] }, []);

function run(
  command: string,
  root: Vertex,
  options: { proxyEnv?: string[]; ignoresCache?: boolean } = {},
): Vertex {
  const operation: Operation = {
    kind: 'exec',
    root: 0,
    args: [command],
    env: [],
    cwd: '/',
    user: '',
    mounts: [],
    network: 'default',
    extraHosts: [],
    proxyEnv: options.proxyEnv ?? [],
  };
  return vertex(command, operation, [root], options.ignoresCache);
}

function copy(source: string, root: Vertex, from: Vertex): Vertex {
  const action: FileAction = {
    type: 'copy',
    from: 1,
    source,
    destination: '/',
    copiesDirectoryContents: true,
    followsSymlinks: true,
    allowsWildcard: true,
    allowsEmptyWildcard: true,
    unpacks: false,
    keepsParents: false,
    excludePatterns: [],
    owner: undefined,
    mode: undefined,
  };
  return vertex(`copy ${source}`, { kind: 'file', root: 0, actions: [action], isLinked: false }, [
    root,
    from,
  ]);
}

function request(events: BuildEvent[] = [], signal = new AbortController().signal): BuildRequest {
  const missing = () => Promise.reject(new Error('not asked for'));
  return {
    id: 'test',
    client: { fetchContext: missing, readFile: missing, secret: missing, ssh: missing, credentials: missing },
    contextName: 'context',
    dockerfile: { contextName: 'dockerfile', path: 'Dockerfile' },
    target: '',
    buildArgs: new Map(),
    labels: new Map(),
    namedContexts: new Map(),
    noCache: false,
    pulls: false,
    platform: '',
    network: 'default',
    extraHosts: [],
    shmSize: 0,
    ulimits: [],
    cgroupParent: '',
    sourceDateEpoch: undefined,
    output: { type: 'none' },
    onProgress: (event) => void events.push(event),
    signal,
  };
}

/** Builds, and tells what was really done. */
async function build(root: Vertex, events: BuildEvent[] = []): Promise<string[]> {
  done = [];
  const solved = await solver.solve(root, request(events));
  await solved.release();
  return done.filter((name) => name !== 'release');
}

describe('the cache of builds', () => {
  it('finds what was done before, also after a restart', async () => {
    const root = run('two', run('one', base()));
    expect(await build(root)).toEqual(['base', 'one', 'two']);
    expect(await build(root)).toEqual([]);
    await cache.flush();
    cache = await BuildCache.open(directory, init, pino({ level: 'silent' }));
    solver = new Solver({ cache, executor: { run: execute, layerDigest, discard } });
    expect(await build(root)).toEqual([]);
  });

  it('shows steps that were not looked at as cached, in order', async () => {
    const root = run('two', run('one', base()));
    await build(root);
    const events: BuildEvent[] = [];
    await build(root, events);
    const cached = events.flatMap((event) => (event.type === 'vertex' && event.isCached ? [event.name] : []));
    // an image that is there is no result of the cache
    expect(cached).toEqual(['one', 'two']);
  });

  it('misses what is said otherwise, or done to something else', async () => {
    await build(run('two', run('one', base())));
    expect(await build(run('other', run('one', base())))).toEqual(['other']);
    expect(await build(run('two', run('one', base('sha256:new'))))).toEqual(['base', 'one', 'two']);
    expect(await build(run('two', run('one', base()), { proxyEnv: ['HTTP_PROXY=x'] }))).toEqual([]);
  });

  it('knows a copy by the files that it takes, not by others', async () => {
    const root = copy('/a', base(), context());
    expect(await build(root)).toEqual(['context', 'base', 'copy /a']);
    entries = [file('a', '1'), file('b', 'changed')];
    expect(await build(root)).toEqual(['context']);
    entries = [file('a', 'changed'), file('b', '1')];
    const events: BuildEvent[] = [];
    expect(await build(root, events)).toEqual(['context', 'base', 'copy /a']);
    expect(events).toContainEqual(expect.objectContaining({ name: 'copy /a', missReason: 'files-changed' }));
  });

  it('says why a step was done', async () => {
    const reasonOf = async (root: Vertex, name: string) => {
      const events: BuildEvent[] = [];
      await build(root, events);
      return events.flatMap((event) =>
        event.type === 'vertex' && event.name === name ? (event.missReason ?? []) : [],
      )[0];
    };
    expect(await reasonOf(run('x', base()), 'x')).toBe('first-time');
    expect(await reasonOf(run('y', base()), 'y')).toBe('definition-changed');
    expect(await reasonOf(run('x', base('sha256:new')), 'x')).toBe('input-changed');
    expect(await reasonOf(run('x', base(), { ignoresCache: true }), 'x')).toBe('no-cache');
  });

  it('is passed by on request, and what follows is done anew as well', async () => {
    await build(run('two', run('one', base())));
    expect(await build(run('two', run('one', base(), { ignoresCache: true })))).toEqual([
      'base',
      'one',
      'two',
    ]);
    expect(await build(run('three', run('one', base())))).toEqual(['three']);
  });
});

describe('a build', () => {
  it('does what is independent side by side, and the same step once', async () => {
    let running = 0;
    let most = 0;
    perform = async ({ vertex: { name } }) => {
      if (!name.startsWith('slow')) return;
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 20));
      running -= 1;
    };
    const root = copy('/x', run('slow 1', base()), run('slow 2', base()));
    await Promise.all([solver.solve(root, request()), solver.solve(root, request())]);
    expect(most).toBe(2);
    expect(done.filter((name) => name === 'slow 1')).toHaveLength(1);
  });

  it('ends with the first failure, and stops the rest', async () => {
    let isStopped = false;
    perform = async ({ vertex: { name }, signal }) => {
      if (name === 'bad') throw new BuildError('it failed');
      if (name !== 'long') return;
      await new Promise<void>((_, reject) => {
        signal.addEventListener('abort', () => {
          isStopped = true;
          reject(signal.reason);
        });
      });
    };
    const events: BuildEvent[] = [];
    await expect(build(copy('/x', run('long', base()), run('bad', base())), events)).rejects.toThrow(
      'it failed',
    );
    expect(isStopped).toBe(true);
    const errors = events.flatMap((event) =>
      event.type === 'vertex' && event.error !== '' ? [[event.name, event.error]] : [],
    );
    expect(errors).toContainEqual(['bad', 'it failed']);
    expect(errors).toContainEqual(['long', 'context canceled']);
  });

  it('does not end a step that another build waits for', async () => {
    let finish = () => {};
    const gate = new Promise<void>((resolve) => {
      finish = resolve;
    });
    perform = async ({ vertex: { name }, signal }) => {
      if (name !== 'long') return;
      await gate;
      signal.throwIfAborted();
    };
    const controller = new AbortController();
    const given = solver.solve(run('long', base()), request([], controller.signal));
    given.catch(() => undefined);
    const other = solver.solve(run('long', base()), request());
    await new Promise((resolve) => setTimeout(resolve, 20));
    controller.abort(new Error('given up'));
    await expect(given).rejects.toThrow('given up');
    finish();
    await (await other).release();
    expect(done.filter((name) => name === 'long')).toHaveLength(1);
  });

  it('gives the contexts of the client back, whatever happens', async () => {
    perform = async ({ vertex: { name } }) => {
      if (name.startsWith('copy')) throw new Error('disk full');
    };
    await expect(build(copy('/a', base(), context()))).rejects.toThrow('disk full');
    expect(done).toContain('release');
  });
});

describe('pruning', () => {
  const options = { all: true, keepBytes: 0, unusedForMs: 0, filters: new Map<string, string[]>() };

  it('removes results with their layers, but not those of a build under way', async () => {
    const solved = await solver.solve(run('one', base()), request());
    expect(await pruneCache(cache, init, options)).toEqual([]);
    await solved.release();
    const [record] = await pruneCache(cache, init, options);
    expect(record).toMatchObject({ description: 'one', size: 1, type: 'regular' });
    expect(removed).toHaveLength(1);
    expect(cache.results()).toEqual([]);
    expect(await build(run('one', base()))).toEqual(['base', 'one']);
  });

  it('keeps so many bytes, and what was used last', async () => {
    await build(run('one', base()));
    await new Promise((resolve) => setTimeout(resolve, 5));
    await build(run('two', base()));
    const gone = await pruneCache(cache, init, { ...options, keepBytes: 1 });
    expect(gone.map(({ description }) => description)).toEqual(['one']);
  });

  it('has filters', async () => {
    await build(run('one', base()));
    const filters = new Map([['type', ['source.local']]]);
    expect(await pruneCache(cache, init, { ...options, filters })).toEqual([]);
    expect(await pruneCache(cache, init, { ...options, unusedForMs: 60_000 })).toEqual([]);
  });
});

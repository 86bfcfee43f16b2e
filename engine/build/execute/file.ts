// COPY, ADD, WORKDIR and heredocs: all changes of a step by one `berth-init copy`, below a mount that only it sees.

import { messageOf } from '../../errors.ts';
import { formatNanos, nowNanos } from '../../events/clock.ts';
import { StartFailed, type Step } from '../../sandbox/init-types.ts';
import { IN_SANDBOX } from '../../sandbox/sandbox.ts';
import { BuildError } from '../error.ts';
import type { FileAction, FileOperation, Owner, Vertex } from '../graph.ts';
import { PatternList } from '../patterns.ts';
import type { ExecuteParts, StepCall, StepResult } from './executor.ts';
import { BUILD_RUN, EMPTY, lowerDirs, newLayer, readOnlyDirs, type Snapshot } from './snapshot.ts';

/** milliseconds for the changes of one step */
const TIMEOUT = 1_800_000;
/** bytes of what is told to berth-init in one request */
const MAX_ORDERS = 3 * 2 ** 20;
const NOT_FOUND = 3;
const MS_RDONLY = 1;

/** Flags of `berth-init copy` (engine/init/copy.h). */
const FLAG = { contents: 1, follow: 2, wildcard: 4, empty: 8, unpack: 16, parents: 32 } as const;

export async function changeFiles(
  parts: ExecuteParts,
  operation: FileOperation,
  { vertex, inputs }: StepCall,
): Promise<StepResult> {
  const root = operation.root === undefined ? undefined : inputs[operation.root];
  const below = root?.kind === 'files' ? root.snapshot : EMPTY;
  const { id, layer, directory } = newLayer();
  const run = `${BUILD_RUN}/${id}`;
  const orders = tell(operation.actions, inputs, vertex);
  const sources = inputs.map((input, index) =>
    input.kind === 'local' ? input.context.directory : `${run}/from${index}`,
  );
  const steps: Step[] = [
    { kind: 'mkdir', path: `${directory}/files`, mode: 0o755 },
    { kind: 'mkdir', path: `${directory}/work`, mode: 0o700 },
    { kind: 'mkdir', path: `${run}/root`, mode: 0o755 },
    { kind: 'chdir', path: IN_SANDBOX.dockerRoot },
    // a linked copy does not look at what it will lie on
    overlay(`${run}/root`, operation.isLinked ? EMPTY : below, id),
    ...inputs.flatMap((input, index): Step[] =>
      input.kind === 'files' && isRead(operation, index)
        ? [
            { kind: 'mkdir', path: `${run}/from${index}` },
            readOnlyOverlay(`${run}/from${index}`, input.snapshot),
          ]
        : [],
    ),
    {
      kind: 'exec',
      argv: [
        '/usr/sbin/berth-init',
        'copy',
        `${run}/root`,
        ...sources.map((path, index) => (isRead(operation, index) ? path : '/')),
      ],
      stdin: orders,
      timeout: TIMEOUT,
    },
  ];
  const undo: Step[] = [
    ...inputs.map((_, index): Step => ({ kind: 'umount', path: `${run}/from${index}` })),
    { kind: 'umount', path: `${run}/root` },
    { kind: 'rmtree', path: run },
    { kind: 'rmtree', path: `${directory}/work` },
  ];
  const { init } = parts.sandbox;
  try {
    await parts.gate.shared(() =>
      init.start([...steps, ...undo.filter(({ kind }) => kind === 'rmtree' || kind === 'umount')]),
    );
  } catch (error) {
    await init
      .start([...undo, { kind: 'rmtree', path: directory }])
      .catch((cause) => parts.log.warn({ err: cause }, 'a failed step of a build left something'));
    throw inWords(error, vertex);
  }
  layer.created = formatNanos(nowNanos());
  return { kind: 'files', snapshot: { layers: [...below.layers, layer] } };
}

/** A step's root as an overlay whose upper directory is its new layer. */
export function overlay(path: string, snapshot: Snapshot, id: string, ...above: string[]): Step {
  const data = `lowerdir=${lowerDirs(snapshot, ...above)},upperdir=buildkit/${id}/files,workdir=buildkit/${id}/work,userxattr`;
  return { kind: 'mount', source: 'overlay', path, fstype: 'overlay', data };
}

export function readOnlyOverlay(path: string, snapshot: Snapshot): Step {
  const data = `lowerdir=${readOnlyDirs(snapshot)},userxattr`;
  return { kind: 'mount', source: 'overlay', path, fstype: 'overlay', flags: MS_RDONLY, data };
}

function isRead({ actions }: FileOperation, index: number): boolean {
  return actions.some((action) => action.type === 'copy' && action.from === index);
}

/** What berth-init is told: fields that end with a NUL. */
function tell(actions: readonly FileAction[], inputs: readonly StepResult[], vertex: Vertex): Buffer {
  const orders = Buffer.concat(actions.map((action) => tellOne(action, inputs, vertex)));
  if (orders.length > MAX_ORDERS) throw new BuildError('one instruction has too many files', vertex.source);
  return orders;
}

function fields(...values: (string | number)[]): Buffer {
  if (values.some((value) => String(value).includes('\0')))
    throw new BuildError('a path has a NUL character in it');
  return Buffer.from(values.map((value) => `${value}\0`).join(''));
}

function change(mode: number | string | undefined, owner: Owner | undefined): string[] {
  const text = mode === undefined ? '' : typeof mode === 'number' ? `0${mode.toString(8)}` : mode;
  return [text, owner?.user ?? '', owner?.group ?? ''];
}

function tellOne(action: FileAction, inputs: readonly StepResult[], vertex: Vertex): Buffer {
  if (action.type === 'makeDirectory') {
    return fields('directory', absolute(action.path), ...change(action.mode, action.owner));
  }
  if (action.type === 'makeFile') {
    const content = Buffer.from(action.content, 'utf8');
    const head = fields('file', absolute(action.path), ...change(action.mode, action.owner), content.length);
    return Buffer.concat([head, content]);
  }
  const flags =
    (action.copiesDirectoryContents ? FLAG.contents : 0) |
    (action.followsSymlinks ? FLAG.follow : 0) |
    (action.allowsWildcard ? FLAG.wildcard : 0) |
    (action.allowsEmptyWildcard ? FLAG.empty : 0) |
    (action.unpacks ? FLAG.unpack : 0) |
    (action.keepsParents ? FLAG.parents : 0);
  const skips = skipped(action.excludePatterns, inputs[action.from], vertex);
  return fields(
    'copy',
    action.from,
    action.source,
    absolute(action.destination),
    flags,
    ...change(action.mode, action.owner),
    skips.length,
    ...skips,
  );
}

function absolute(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

/** --exclude: the files that stay behind, sorted as bytes. */
function skipped(patterns: readonly string[], input: StepResult | undefined, vertex: Vertex): string[] {
  if (patterns.length === 0) return [];
  if (input?.kind !== 'local') {
    throw new BuildError('COPY --exclude with --from is not supported by Berth', vertex.source);
  }
  const list = new PatternList(patterns);
  return input.context.entries
    .filter(({ path }) => list.matches(path))
    .map(({ path }) => path)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function inWords(error: unknown, { source }: Vertex): unknown {
  if (!(error instanceof StartFailed)) return error;
  const text = messageOf(error).trim();
  if (error.exitCode !== NOT_FOUND) return new BuildError(text, source, { cause: error });
  return new BuildError(
    `failed to compute cache key: failed to calculate checksum of ref ${reference()}::${reference()}: ${text}`,
    source,
    { cause: error },
  );
}

/** BuildKit names a file system by 25 letters and digits. */
function reference(): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';
  return Array.from({ length: 25 }, () => letters[Math.floor(Math.random() * letters.length)]).join('');
}

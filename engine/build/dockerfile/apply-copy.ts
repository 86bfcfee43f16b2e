// COPY and ADD: files of the context, of other stages and images, of heredocs and of the network.

import { posix } from 'node:path';
import type { FileAction, Owner } from '../graph.ts';
import { hasWildcards } from '../patterns.ts';
import type { Draft } from './draft.ts';
import { quote } from './go-text.ts';
import type { AddInstruction, CopyInstruction } from './instruction.ts';
import { ownerOf, parseMode } from './owner.ts';
import { type Expander, type PlanContext, titleOf } from './plan-context.ts';
import { isGitSource, isHttpSource, parseChecksum, urlFilename } from './remote-source.ts';
import type { Command, StageState } from './stage-state.ts';

type CopyAction = Extract<FileAction, { type: 'copy' }>;
type TransferCommand = Command & { instruction: CopyInstruction | AddInstruction };

/** What is the same for every source of one instruction. */
interface Transfer {
  readonly destination: string;
  readonly excludePatterns: readonly string[];
  readonly owner: Owner | undefined;
  readonly mode: number | string | undefined;
  readonly checksum: string;
  readonly title: string;
}

/** Collects the actions of one instruction, and what they copy from. */
class Actions {
  readonly inputs: Draft[];
  readonly actions: CopyAction[] = [];
  readonly #transfer: Transfer;

  constructor(root: Draft | undefined, transfer: Transfer) {
    this.inputs = root === undefined ? [] : [root];
    this.#transfer = transfer;
  }

  add(from: Draft, source: string, options: Partial<CopyAction>): void {
    const { destination, excludePatterns, owner, mode } = this.#transfer;
    if (!this.inputs.includes(from)) this.inputs.push(from);
    this.actions.push({
      type: 'copy',
      from: this.inputs.indexOf(from),
      source,
      destination,
      copiesDirectoryContents: false,
      followsSymlinks: false,
      allowsWildcard: false,
      allowsEmptyWildcard: false,
      unpacks: false,
      keepsParents: false,
      excludePatterns,
      owner,
      mode,
      ...options,
    });
  }
}

export function applyCopy(
  state: StageState,
  command: TransferCommand,
  expander: Expander,
  context: PlanContext,
): void {
  const { instruction } = command;
  const isAdd = instruction.kind === 'add';
  const chown = expander.word(instruction.chown);
  const chmod = expander.word(instruction.chmod);
  const sources = instruction.sources.map((source) => expander.word(source));
  const written = expander.word(instruction.destination);
  const checksum = isAdd ? expander.word(instruction.checksum) : '';
  const files = instruction.files.map((file) =>
    file.expands ? { ...file, content: expander.content(file.content) } : file,
  );
  const [stage] = command.sources;
  if (stage !== undefined && !stage.isApplied && instruction.kind === 'copy') {
    const current = state.displayName;
    throw new Error(
      `cannot copy from stage ${quote(instruction.from)}, it needs to be defined before current stage ${quote(current)}`,
    );
  }
  const title = state.stepName(
    titleOf(expander.name(instruction.text, { keepsQuotes: false })),
    command.isTrigger,
  );
  const transfer: Transfer = {
    destination: resolveDestination(state.directory, written),
    excludePatterns: instruction.excludePatterns,
    owner: ownerOf(chown),
    mode: chmod === '' ? undefined : parseMode(chmod),
    checksum,
    title,
  };
  checkChecksum(checksum, sources);

  const actions = new Actions(state.root, transfer);
  for (const source of sources) addSource(source, actions, transfer, { state, command, stage, context });
  for (const file of files) {
    const inline = context.graph.add(inlineFile(file.name, file.content, 0o644));
    actions.add(inline, posix.join('/', file.name), {});
  }

  state.root = context.graph.add({
    name: title,
    operation: {
      kind: 'file',
      root: state.root === undefined ? undefined : 0,
      actions: actions.actions,
      isLinked: instruction.link && chmod === '',
    },
    inputs: actions.inputs,
    ignoresCache: state.ignoresCache,
    source: instruction.source,
  });
  const flags = [
    instruction.kind === 'copy' && instruction.parents ? ' --parents' : '',
    chown === '' ? '' : ` --chown=${chown}`,
    chmod === '' ? '' : ` --chmod=${chmod}`,
  ];
  const words = [...sources, ...files.map((file) => `<<${file.name}`), written];
  const message = `${isAdd ? 'ADD' : 'COPY'}${flags.join('')} ${words.join(' ')}`;
  state.record(message, state.root, true);
}

interface SourceContext {
  readonly state: StageState;
  readonly command: TransferCommand;
  /** COPY --from */
  readonly stage: StageState | undefined;
  readonly context: PlanContext;
}

function addSource(source: string, actions: Actions, transfer: Transfer, on: SourceContext): void {
  const { instruction } = on.command;
  if (isGitSource(source)) {
    if (instruction.kind === 'copy') throw new Error("source can't be a git ref for COPY");
    throw new Error(
      `ADD of git repositories is not supported here: clone ${source} into the build context instead`,
    );
  }
  if (isHttpSource(source)) {
    if (instruction.kind === 'copy') throw new Error("source can't be a URL for COPY");
    const filename = urlFilename(source);
    const file = on.context.graph.add({
      name: transfer.title,
      operation: {
        kind: 'http',
        url: source,
        filename,
        ...(transfer.checksum === '' ? {} : { checksum: parseChecksum(transfer.checksum) }),
      },
      inputs: [],
      ignoresCache: on.state.ignoresCache,
      source: instruction.source,
    });
    actions.add(file, posix.join('/', filename), { unpacks: instruction.unpacks === true });
    return;
  }
  if (on.stage === undefined) reportIgnored(source, instruction, on.context);
  const keepsParents = instruction.kind === 'copy' && instruction.parents;
  actions.add(sourceInput(source, on), keepsParents ? withPivot(source) : posix.join('/', source), {
    copiesDirectoryContents: true,
    followsSymlinks: true,
    allowsWildcard: true,
    allowsEmptyWildcard: !keepsParents || hasWildcards(source),
    unpacks: instruction.kind === 'add' && instruction.unpacks !== false,
    keepsParents,
  });
}

/** The file system that is copied from. */
function sourceInput(source: string, { stage, context }: SourceContext): Draft {
  const path = posix.join('/', source);
  if (stage === undefined) return context.useContext([path]);
  stage.paths.add(path);
  if (stage.root !== undefined) return stage.root;
  return context.graph.add({
    name: '[internal] empty file system',
    operation: { kind: 'file', root: undefined, actions: [], isLinked: false },
    inputs: [],
    ignoresCache: false,
  });
}

/** `a/./b/c` → `/a/./b/c`: what is behind `/./` is kept; without one, all of it. */
function withPivot(source: string): string {
  const pivot = source.indexOf('/./');
  const parent = pivot < 0 ? '/' : posix.join('/', source.slice(0, pivot));
  const rest = posix.join('/', pivot < 0 ? source : source.slice(pivot + 3));
  return `${parent === '/' ? '' : parent}/.${rest}`;
}

/** Where to copy to: absolute, with the slash at its end kept. */
function resolveDestination(directory: string, path: string): string {
  if (path.startsWith('/')) return path;
  const relative = path === '' || path === '.' ? './' : path;
  const joined = posix.join('/', directory, relative);
  if (relative.endsWith('/') && !joined.endsWith('/')) return `${joined}/`;
  if (relative.endsWith('/.')) return joined === '/' ? '/.' : `${joined}/.`;
  return joined;
}

function checkChecksum(checksum: string, sources: readonly string[]): void {
  if (checksum === '') return;
  const [source = ''] = sources;
  if (sources.length !== 1) throw new Error("checksum can't be specified for multiple sources");
  if (!isHttpSource(source) && !isGitSource(source)) {
    throw new Error('checksum requires HTTP(S) or Git sources');
  }
}

/** A file with a heredoc's content, in an empty file system. */
export function inlineFile(name: string, content: string, mode: number): Draft {
  return {
    name: '[internal] preparing inline document',
    operation: {
      kind: 'file',
      root: undefined,
      actions: [{ type: 'makeFile', path: posix.join('/', name), content, mode, owner: undefined }],
      isLinked: false,
    },
    inputs: [],
    ignoresCache: false,
  };
}

/** With exceptions in .dockerignore nothing can be said without looking at the files. */
function reportIgnored(
  source: string,
  { kind, source: place, statement }: CopyInstruction | AddInstruction,
  { ignored, checker }: PlanContext,
): void {
  if (ignored === undefined || ignored.hasExceptions) return;
  const path = posix.normalize(source).replace(/(.)\/$/, '$1');
  const isRoot = path === '.' || path === '/';
  if (isRoot && !ignored.texts.some((text) => text === '*' || text === '**' || text === '**/*')) return;
  if (!ignored.matches(path)) return;
  const verb = kind === 'add' ? 'Add' : 'Copy';
  const message = `Attempting to ${verb} file "${path}" that is excluded by .dockerignore`;
  checker.report('CopyIgnoredFile', place, message, statement);
}

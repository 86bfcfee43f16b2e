// From a Dockerfile to the graph of a build: the front end's whole way.

import type { BuildRequest } from '../build.ts';
import { BuildError } from '../error.ts';
import type { BuildPlan, Vertex } from '../graph.ts';
import { PatternList } from '../patterns.ts';
import { applyCommand } from './apply.ts';
import { resolveWorkdir } from './apply-workdir.ts';
import { type BaseImages, baseResolver, type ResolveImage } from './base-image.ts';
import { Checker, type Finding } from './checker.ts';
import { type Draft, DraftGraph } from './draft.ts';
import { globalArgs, predefinedArgs } from './global-args.ts';
import { includePatterns } from './include-patterns.ts';
import type { Dockerfile } from './instruction.ts';
import { type Definition, loadDefinition, loadIgnorePatterns } from './load.ts';
import { locate } from './locate.ts';
import { makeExpander, type PlanContext } from './plan-context.ts';
import { machinePlatform, type Platform, parsePlatform } from './platform.ts';
import { readStages } from './read.ts';
import { RULES } from './rules.ts';
import { DEFAULT_PATH, type StageState } from './stage-state.ts';
import { Stages, stagesNeededBy } from './stages.ts';
import { checkDefaultBases, checkText } from './static-checks.ts';
import { parseSyntax, type Syntax } from './syntax.ts';
import { expandWord } from './word.ts';

/**
 * Plans a build: loads the Dockerfile, reads it, and makes the graph of what the target needs. Shows the steps that this
 * takes, and the findings of the build checks. Throws a BuildError, with its place, for what the Dockerfile says wrongly.
 */
export async function planDockerfile(request: BuildRequest, resolveImage: ResolveImage): Promise<BuildPlan> {
  const definition = await loadDefinition(request);
  const onFinding = (finding: Finding) => warn(request, definition, finding);
  const planned = await planStages(request, definition, { resolveImage, onFinding, plansAll: false });
  return makePlan(request, planned);
}

/** Reads a Dockerfile with all its stages (or those of the target) for the findings of the build checks only. */
export async function checkDockerfile(request: BuildRequest, resolveImage: ResolveImage): Promise<void> {
  const definition = await loadDefinition(request);
  const onFinding = (finding: Finding) => warn(request, definition, finding);
  await planStages(request, definition, { resolveImage, onFinding, plansAll: request.target === '' });
}

export interface PlannedStages {
  readonly target: StageState;
  readonly stages: Stages;
  readonly dockerfile: Dockerfile;
  readonly graph: DraftGraph;
  readonly checker: Checker;
}

interface PlanOptions {
  readonly resolveImage: ResolveImage;
  onFinding(finding: Finding): void;
  /** also the stages that the target does not need (`--check`) */
  readonly plansAll: boolean;
}

/** Applies all instructions of the stages that are needed. */
export async function planStages(
  request: BuildRequest,
  definition: Definition,
  options: PlanOptions,
): Promise<PlannedStages> {
  const syntax = parseSyntax(definition.file);
  const checker = Checker.for(syntax, request.buildArgs.get('BUILDKIT_DOCKERFILE_CHECK'), options.onFinding);
  const dockerfile = readStages(syntax.statements);
  if (dockerfile.stages.length === 0) throw new BuildError('dockerfile contains no stages to build');
  checkText(dockerfile, syntax, checker);
  const settings = settingsOf(request, dockerfile, syntax, checker);
  const stages = new Stages(dockerfile.stages, { ...settings, request, checker, escape: syntax.escape });
  const target = stages.target(request.target);

  const graph = new DraftGraph();
  const context = contextSource(graph, request);
  const images = baseResolver({
    request,
    graph,
    stages,
    platform: settings.platform,
    resolveImage: options.resolveImage,
  });
  const needed = await resolveBases(stages, target, images, options.plansAll);
  const ignorePatterns = await loadIgnorePatterns(request, definition);
  context.excludePatterns = ignorePatterns;
  const planContext: PlanContext = {
    request,
    graph,
    checker,
    escape: syntax.escape,
    globalArgs: settings.globalArgs,
    ignored: ignorePatterns.length === 0 ? undefined : new PatternList(ignorePatterns),
    useContext: context.use,
    expanderFor: (state, instruction) => makeExpander(state, instruction, { checker, escape: syntax.escape }),
  };
  for (const state of stages.all) {
    if ((options.plansAll || needed.has(state)) && !state.isApplied) applyStage(state, planContext);
  }
  target.paths.add('/');
  checker.failIfAsked();
  return { target, stages, dockerfile, graph, checker };
}

interface Settings {
  readonly platform: Platform;
  readonly globalArgs: ReadonlyMap<string, string>;
  readonly declaredArgs: ReadonlySet<string>;
}

function settingsOf(
  request: BuildRequest,
  { stages, globalArgs: declared }: Dockerfile,
  { escape: escapeCharacter }: Syntax,
  checker: Checker,
): Settings {
  const build = machinePlatform();
  const platform = request.platform === '' ? build : parseTarget(request.platform);
  const target = request.target === '' ? (stages.at(-1)?.from.name ?? '') : request.target;
  const predefined = predefinedArgs(build, platform, target, request.buildArgs);
  const defaults = globalArgs(predefined, declared, new Map(), escapeCharacter);
  const lookup = (name: string) => defaults.get(name);
  checkDefaultBases(stages, (word) => expandWord(word, { escape: escapeCharacter, lookup }).text, checker);
  return {
    platform,
    globalArgs: globalArgs(predefined, declared, request.buildArgs, escapeCharacter),
    declaredArgs: new Set(declared.flatMap(({ args }) => args.map(({ name }) => name))),
  };
}

function parseTarget(text: string): Platform {
  try {
    return parsePlatform(text);
  } catch (error) {
    throw new BuildError(`failed to parse platform ${text}: ${error instanceof Error ? error.message : ''}`);
  }
}

/** The build context as a source of the graph, which is there only when something uses it. */
function contextSource(graph: DraftGraph, request: BuildRequest) {
  const paths = new Set<string>();
  let draft: Draft | undefined;
  const source = {
    excludePatterns: [] as readonly string[],
    use(used: readonly string[]): Draft {
      for (const path of used) paths.add(path);
      draft ??= graph.add({
        name: '[internal] load build context',
        operation: () => ({
          kind: 'local',
          name: request.contextName,
          includePatterns: includePatterns(paths),
          excludePatterns: source.excludePatterns,
        }),
        inputs: [],
        ignoresCache: false,
      });
      return draft;
    },
  };
  return source;
}

/** Resolves the bases of what the target needs; their ONBUILD instructions may need more stages. */
async function resolveBases(
  stages: Stages,
  target: StageState,
  images: BaseImages,
  plansAll: boolean,
): Promise<ReadonlySet<StageState>> {
  for (;;) {
    const needed = plansAll ? new Set(stages.all) : stagesNeededBy(target);
    await images.resolve(needed);
    let needsMore = false;
    for (const state of stages.all) {
      if (!needed.has(state)) continue;
      const triggers = takeTriggers(state);
      if (triggers.length > 0 && stages.addTriggers(state, triggers)) needsMore = true;
    }
    if (!needsMore) return needed;
  }
}

/** The ONBUILD instructions of a stage's base, once. */
function takeTriggers(state: StageState): readonly string[] {
  if (!state.takesTriggersOfBase) return [];
  state.takesTriggersOfBase = false;
  if (state.base !== undefined) {
    return state.base.commands.flatMap(({ instruction }) =>
      instruction.kind === 'onbuild' ? [instruction.trigger] : [],
    );
  }
  const triggers = state.image.config.OnBuild ?? [];
  delete state.image.config.OnBuild;
  return triggers;
}

function applyStage(state: StageState, context: PlanContext): void {
  state.inherit();
  state.isApplied = true;
  const { config } = state.image;
  const env = config.Env ?? [];
  if (!env.some((entry) => entry.startsWith('PATH='))) config.Env = [...env, DEFAULT_PATH];
  for (const entry of config.Env ?? []) {
    const equals = entry.indexOf('=');
    if (equals < 0) state.setEnv(entry, '');
    else state.setEnv(entry.slice(0, equals), entry.slice(equals + 1));
  }
  if (config.WorkingDir !== undefined && config.WorkingDir !== '') {
    state.directory = resolveWorkdir('/', config.WorkingDir);
    config.WorkingDir = state.directory;
  }
  if (config.User !== undefined && config.User !== '') state.user = config.User;
  for (const command of state.commands) {
    try {
      applyCommand(state, command, context);
    } catch (error) {
      throw locate(error, command.instruction.source);
    }
  }
}

/** The plan of the target: its graph with digests, its image. */
function makePlan(request: BuildRequest, { target, graph }: PlannedStages): BuildPlan {
  const vertices = graph.finish();
  const vertexOf = (draft: Draft | undefined): Vertex | undefined =>
    draft === undefined ? undefined : vertices.get(draft);
  const { author, architecture, os, variant, config, history } = target.image;
  const labels = [...Object.entries(config.Labels ?? {}), ...request.labels];
  const platform = request.platform === '' ? { architecture, os, variant } : parseTarget(request.platform);
  return {
    root: vertexOf(target.root),
    image: {
      ...(author === '' ? {} : { author }),
      architecture: platform.architecture,
      os: platform.os,
      ...(platform.variant === '' ? {} : { variant: platform.variant }),
      config: labels.length === 0 ? config : { ...config, Labels: Object.fromEntries(labels) },
    },
    history: history.map(({ step, ...entry }) => {
      const vertex = vertexOf(step);
      return vertex === undefined ? entry : { ...entry, vertex };
    }),
  };
}

function warn(request: BuildRequest, definition: Definition, { rule, message, source }: Finding): void {
  const { description, url } = RULES[rule];
  request.onProgress({ type: 'warning', vertex: definition.vertex, rule, description, message, url, source });
}

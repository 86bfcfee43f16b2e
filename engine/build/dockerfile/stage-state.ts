// One stage of a build while it is planned: its file system so far, its environment, its image's configuration.

import type { OciContainerConfig } from '../../image/oci-image.ts';
import type { SourceRange } from '../graph.ts';
import type { Draft } from './draft.ts';
import type { Instruction } from './instruction.ts';
import type { Platform } from './platform.ts';

/** An image's history as it is planned; the step that makes a layer has no digest yet. */
export interface DraftHistory {
  readonly createdBy: string;
  readonly comment: string;
  readonly isEmptyLayer: boolean;
  readonly created?: string;
  readonly author?: string;
  readonly step?: Draft;
}

/** An image's configuration as it is planned. */
export interface DraftImage {
  architecture: string;
  os: string;
  variant: string;
  author: string;
  config: OciContainerConfig;
  history: DraftHistory[];
}

/** An instruction of a stage, with the stages that it refers to. */
export interface Command {
  readonly instruction: Instruction;
  /** COPY --from: one; RUN: one for each --mount */
  readonly sources: readonly StageState[];
  /** it comes from the base image's ONBUILD */
  readonly isTrigger: boolean;
}

/** The directories where programs are looked for when an image says nothing. */
export const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export class StageState {
  /** AS; '' without */
  readonly givenName: string;
  readonly source: SourceRange;
  /** what FROM says, expanded */
  baseName: string;
  /** what progress calls it; '' when it is the only one */
  displayName: string;
  platform: Platform | undefined;
  /** the stage that it builds upon */
  base: StageState | undefined;
  commands: Command[] = [];
  readonly dependencies = new Map<StageState, Instruction>();
  /** it stands for an image or context that an instruction refers to, not for a FROM */
  readonly isImplicit: boolean;
  ignoresCache = false;
  isResolved = false;
  isApplied = false;
  takesTriggersOfBase = true;

  /** the file system as it is now; undefined: empty */
  root: Draft | undefined;
  /** variables of processes: ENV and ARG */
  env = new Map<string, string>();
  directory = '/';
  user = '';
  image: DraftImage;
  /** ARGs with their values, in order */
  args: { name: string; value: string | undefined }[] = [];
  setsWorkdir = false;
  /** where the last of those is that only count once */
  readonly once = new Map<string, SourceRange>();
  /** files that others use of it, for contexts at the client */
  paths = new Set<string>();

  #index = 0;
  /** steps that progress counts */
  steps = 0;

  constructor(options: {
    givenName?: string;
    baseName: string;
    displayName: string;
    source: SourceRange;
    platform: Platform;
    isImplicit: boolean;
  }) {
    this.givenName = options.givenName ?? '';
    this.baseName = options.baseName;
    this.displayName = options.displayName;
    this.source = options.source;
    this.isImplicit = options.isImplicit;
    this.image = emptyImage(options.platform);
  }

  /** Takes over what the base stage has become. */
  inherit(): void {
    const { base } = this;
    if (base === undefined) return;
    this.root = base.root;
    this.platform = base.platform;
    this.env = new Map(base.env);
    this.directory = base.directory;
    this.user = base.user;
    this.image = structuredCloneOf(base.image);
    delete this.image.config.OnBuild;
    this.args = [...base.args];
    this.setsWorkdir = base.setsWorkdir;
    this.paths = base.paths;
  }

  /** A later value comes last, as in llb's environment. */
  setEnv(name: string, value: string): void {
    this.env.delete(name);
    this.env.set(name, value);
  }

  /** Puts `[stage 2/5]` before a step's name, and counts it. */
  stepName(text: string, isTrigger: boolean): string {
    if (this.steps === 0) return text;
    this.#index += 1;
    const index = String(this.#index).padStart(String(this.steps).length);
    const stage = this.displayName === '' ? '' : `${this.displayName} `;
    return `[${stage}${index}/${this.steps}] ${isTrigger ? 'ONBUILD ' : ''}${text}`;
  }

  /** Adds an entry to the image's history. */
  record(createdBy: string, step?: Draft, isBuildkitStep = false): void {
    this.image.history.push({
      createdBy: isBuildkitStep ? `${createdBy} # buildkit` : createdBy,
      comment: 'buildkit.dockerfile.v0',
      isEmptyLayer: step === undefined,
      ...(step === undefined ? {} : { step }),
    });
  }
}

function emptyImage(platform: Platform): DraftImage {
  return {
    architecture: platform.architecture,
    os: platform.os,
    variant: platform.variant,
    author: '',
    config: { WorkingDir: '/', Env: [DEFAULT_PATH] },
    history: [],
  };
}

/** History refers to steps, which stay the same; the configuration is copied. */
function structuredCloneOf(image: DraftImage): DraftImage {
  return { ...image, config: structuredClone(image.config), history: [...image.history] };
}

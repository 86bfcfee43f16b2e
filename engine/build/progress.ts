// What a build tells while it runs: steps, their parts, their output, warnings. Fronts turn it into BuildKit's Status or the classic lines.

import type { SourceRange } from './graph.ts';

/** A step that began, went on or ended. Sent whole each time. */
export interface VertexStatus {
  digest: string;
  inputs: readonly string[];
  name: string;
  /** its result was known */
  isCached: boolean;
  /** nanoseconds since the epoch */
  started?: bigint;
  completed?: bigint;
  /** in the words the user sees; '' while all is well */
  error: string;
  /** why a result that was looked for was not there, for people who learn how the cache works */
  missReason?: 'first-time' | 'definition-changed' | 'input-changed' | 'files-changed' | 'no-cache';
}

/** A part of a step that takes long: a transfer, an extraction, an export. */
export interface PartStatus {
  /** of its step */
  vertex: string;
  /** unique in its step, and shown: `transferring context: ` */
  id: string;
  /** bytes, or 0 where they do not apply */
  current: number;
  total: number;
  started?: bigint;
  completed?: bigint;
}

/** Output of a step's process. */
export interface VertexLog {
  vertex: string;
  stream: 'stdout' | 'stderr';
  time: bigint;
  data: Buffer;
}

/** A finding of the build checks. */
export interface BuildWarning {
  vertex: string;
  /** BuildKit's name of the rule: StageNameCasing */
  rule: string;
  description: string;
  message: string;
  url: string;
  source: SourceRange | undefined;
}

export type BuildEvent =
  | ({ type: 'vertex' } & VertexStatus)
  | ({ type: 'part' } & PartStatus)
  | ({ type: 'log' } & VertexLog)
  | ({ type: 'warning' } & BuildWarning);

/** Hears everything of one build, in order. Must not throw. */
export type ProgressListener = (event: BuildEvent) => void;

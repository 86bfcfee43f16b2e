// Builds as they run, for pictures of them: GET /v1/sandboxes/:name/builds, one JSON object a line.

import { z } from 'zod';

/** Milliseconds since the epoch. */
const Time = z.number();

/** A step of the graph; sent again, whole, whenever its state changes. */
export const BuildStep = z.object({
  /** names the step; the same in every build that has it */
  digest: z.string(),
  /** digests of the steps that it is done to */
  inputs: z.array(z.string()),
  /** `[build 2/5] RUN make` */
  name: z.string(),
  state: z.enum(['waiting', 'running', 'done', 'cached', 'failed']),
  started: Time.optional(),
  completed: Time.optional(),
  /** '' unless it failed */
  error: z.string(),
  /** why it had to be done although results of earlier builds are kept */
  missReason: z
    .enum(['first-time', 'definition-changed', 'input-changed', 'files-changed', 'no-cache'])
    .optional(),
});
export type BuildStep = z.infer<typeof BuildStep>;

/** A layer of the image that was built, lowest first. */
export const BuiltLayer = z.object({
  diffId: z.string(),
  /** bytes of its files */
  size: z.number(),
  /** the instruction that made it, as `docker history` shows it */
  createdBy: z.string(),
});
export type BuiltLayer = z.infer<typeof BuiltLayer>;

/** What happens in a build. */
export const BuildActivity = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('started'),
    build: z.string(),
    dockerfile: z.string(),
    /** --target, or '' */
    target: z.string(),
    /** full references that the image will have */
    references: z.array(z.string()),
  }),
  z.object({ kind: z.literal('step'), build: z.string(), step: BuildStep }),
  /** a part of a step: a transfer, an export; bytes */
  z.object({
    kind: z.literal('part'),
    build: z.string(),
    step: z.string(),
    name: z.string(),
    current: z.number(),
    total: z.number(),
    isDone: z.boolean(),
  }),
  z.object({
    kind: z.literal('log'),
    build: z.string(),
    step: z.string(),
    stream: z.enum(['stdout', 'stderr']),
    time: Time,
    text: z.string(),
  }),
  /** a finding of the build checks; lines from 1 */
  z.object({
    kind: z.literal('warning'),
    build: z.string(),
    rule: z.string(),
    message: z.string(),
    url: z.string(),
    firstLine: z.number().optional(),
    lastLine: z.number().optional(),
  }),
  z.object({
    kind: z.literal('ended'),
    build: z.string(),
    /** '' when all went well */
    error: z.string(),
    /** '' when no image was made */
    imageId: z.string(),
    layers: z.array(BuiltLayer),
  }),
]);
export type BuildActivity = z.infer<typeof BuildActivity>;

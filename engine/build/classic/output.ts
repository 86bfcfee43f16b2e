// The classic builder's words: `Step 1/5 : FROM …`, one step after the other, made of the progress of a graph that has no order.

import type { Dockerfile } from '../dockerfile/instruction.ts';
import type { BuildEvent, VertexLog, VertexStatus } from '../progress.ts';

/** One line of the answer (jsonmessage.JSONMessage). */
export type ClassicLine =
  | { stream: string }
  | { aux: { ID: string } }
  | { error: string; errorDetail: { code?: number; message: string } };

/** An instruction, in the order of the Dockerfile. */
interface Step {
  text: string;
  keyword: string;
  /** how its vertex is called: the stage and the number in it; undefined when it makes no file system */
  place: string | undefined;
  status: VertexStatus | undefined;
  logs: VertexLog[];
}

/** Instructions that BuildKit counts in `[stage 2/5]`. */
const COUNTED = ['RUN', 'COPY', 'ADD', 'WORKDIR'];
/** bytes of a step's output that wait for the steps before it */
const MAX_WAITING = 2 ** 20;

/** Turns a build's events into the classic lines. */
export class ClassicOutput {
  readonly #steps: Step[];
  readonly #write: (line: ClassicLine) => void;
  readonly #byDigest = new Map<string, Step>();
  /** index of the step that is being told */
  #current = 0;
  #isBegun = false;
  #waiting = 0;

  constructor(dockerfile: Dockerfile, target: string, write: (line: ClassicLine) => void) {
    this.#steps = listSteps(dockerfile, target);
    this.#write = write;
  }

  readonly add = (event: BuildEvent): void => {
    if (event.type === 'vertex') this.#status(event);
    else if (event.type === 'log') this.#log(event);
    this.#tell();
  };

  #status(status: VertexStatus): void {
    const place = /^\[([^\]]+)\/\d+\] /.exec(status.name)?.[1];
    const step = this.#byDigest.get(status.digest) ?? this.#steps.find((each) => each.place === place);
    if (!step || place === undefined) return;
    this.#byDigest.set(status.digest, step);
    step.status = status;
  }

  #log(log: VertexLog): void {
    const step = this.#byDigest.get(log.vertex);
    if (!step) return;
    this.#waiting += log.data.length;
    if (this.#waiting <= MAX_WAITING) step.logs.push(log);
  }

  /** Whatever can be told now, in order. */
  #tell(): void {
    for (let step = this.#steps[this.#current]; step; step = this.#steps[this.#current]) {
      const isDone = step.place === undefined ? this.#isPast() : step.status?.completed !== undefined;
      if (!this.#isBegun && (step.status || isDone)) this.#begin(step);
      if (this.#isBegun) this.#tellLogs(step);
      if (!isDone || step.status?.error) return;
      this.#end(step);
    }
  }

  /** What makes no file system is done once the step before it is. */
  #isPast(): boolean {
    return this.#current > 0 || this.#steps.some(({ status }) => status !== undefined);
  }

  #begin(step: Step): void {
    this.#isBegun = true;
    this.#say(`Step ${this.#current + 1}/${this.#steps.length} : ${step.text}`);
    this.#say('\n');
    if (step.status?.isCached && step.keyword !== 'FROM') this.#say(' ---> Using cache\n');
    else if (step.keyword === 'RUN' && step.status) this.#say(` ---> Running in ${shortId(step.status)}\n`);
  }

  #tellLogs(step: Step): void {
    for (const { data } of step.logs.splice(0)) {
      this.#waiting -= data.length;
      this.#say(data.toString('utf8'));
    }
  }

  #end(step: Step): void {
    if (step.status) {
      const isRun = step.keyword === 'RUN' && !step.status.isCached;
      if (isRun) this.#say(` ---> Removed intermediate container ${shortId(step.status)}\n`);
      this.#say(` ---> ${shortId(step.status)}\n`);
    }
    this.#current += 1;
    this.#isBegun = false;
  }

  /** The rest, once the build is done: steps of stages that the target does not need are told as not done. */
  finish(): void {
    for (let step = this.#steps[this.#current]; step; step = this.#steps[this.#current]) {
      if (!this.#isBegun) this.#begin(step);
      this.#tellLogs(step);
      this.#end(step);
    }
  }

  /** The step that failed is shown with what it said. */
  fail(): void {
    const failed = this.#steps.findIndex(
      ({ status }) => status?.error && status.error !== 'context canceled',
    );
    if (failed < 0) return;
    while (this.#current < failed) {
      const step = this.#steps[this.#current];
      if (!step) return;
      if (!this.#isBegun) this.#begin(step);
      this.#tellLogs(step);
      this.#end(step);
    }
    const step = this.#steps[failed];
    if (!step) return;
    if (!this.#isBegun) this.#begin(step);
    this.#tellLogs(step);
  }

  #say(stream: string): void {
    this.#write({ stream });
  }
}

/** Twelve digits that name the step's result, where the classic builder has an image for each step. */
function shortId({ digest }: VertexStatus): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12);
}

/** As the classic builder counts: all stages up to the target, and what stands before the first. */
function listSteps({ globalArgs, stages }: Dockerfile, target: string): Step[] {
  const at = stages.findIndex(
    ({ from }, index) => from.name === target.toLowerCase() || String(index) === target,
  );
  const wanted = target === '' || at < 0 ? stages : stages.slice(0, at + 1);
  const steps = globalArgs.map(({ text }) => makeStep(text, 'ARG', undefined));
  for (const [index, { from, instructions }] of wanted.entries()) {
    const prefix = stages.length === 1 && from.name === '' ? '' : `${from.name || `stage-${index}`} `;
    let number = 1;
    steps.push(makeStep(from.text, 'FROM', from.base === 'scratch' ? undefined : `${prefix}${number}`));
    for (const { text, statement } of instructions) {
      const keyword = statement.keyword.toUpperCase();
      const isCounted = COUNTED.includes(keyword);
      if (isCounted) number += 1;
      steps.push(makeStep(text, keyword, isCounted ? `${prefix}${number}` : undefined));
    }
  }
  return steps;
}

function makeStep(text: string, keyword: string, place: string | undefined): Step {
  return { text, keyword, place, status: undefined, logs: [] };
}

/** A failed RUN in the classic builder's words. */
export function classicError(message: string): {
  error: string;
  errorDetail: { code?: number; message: string };
} {
  const [, command, code] =
    /^process "([\s\S]*)" did not complete successfully: exit code: (\d+)$/.exec(message) ?? [];
  if (command !== undefined && code !== undefined) {
    const text = `The command '${command}' returned a non-zero code: ${code}`;
    return { error: text, errorDetail: { code: Number(code), message: text } };
  }
  const [, missing] = /failed to calculate checksum of ref \S+: "\/(.*)": not found$/.exec(message) ?? [];
  const text =
    missing === undefined
      ? message
      : `COPY failed: file not found in build context or excluded by .dockerignore: stat ${missing}: file does not exist`;
  return { error: text, errorDetail: { message: text } };
}

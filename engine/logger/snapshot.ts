// The files of a log at one moment, while berth-init goes on to write and rotate them.

import type { FileStream, InitApi } from '../sandbox/init-types.ts';
import type { LogPlan } from './driver.ts';
import { countLines, open, SLACK } from './read.ts';

/** What is asked of a log. */
export interface SourceOptions {
  /** at most so many of the last lines; undefined is all */
  tail: number | undefined;
  /** key of the process whose log it is: go on until it has ended */
  follow: string | undefined;
}

/** The youngest of the older files can be compressed in the middle of an attempt. */
const ATTEMPTS = 20;

/** Tells files that are written no more apart; an inode alone may be used again. */
type Identity = Pick<FileStream, 'inode' | 'mtime' | 'size'>;

/** A file that was rotated away. Its number grows with each rotation, the rest stays. */
export interface OlderFile extends Identity {
  number: number;
  isCompressed: boolean;
}

export interface LogSnapshot {
  /** the file that is written, from its beginning, followed if that was asked for */
  current: FileStream;
  /** the same, from its last lines on; and these lines alone, to be counted */
  currentTail: FileStream | undefined;
  currentCount: FileStream | undefined;
  /** youngest first */
  older: OlderFile[];
  /** one of them that is about to be compressed: open, since it is another file then */
  first: FirstFile | undefined;
  close(): void;
}

interface FirstFile {
  file: OlderFile;
  /** its last lines as far as they are asked for, and how many they are */
  content: FileStream;
  lines: number;
}

/** Undefined when there is no log yet. */
export async function takeSnapshot(
  init: InitApi,
  plan: LogPlan,
  options: SourceOptions,
): Promise<LogSnapshot | undefined> {
  for (let attempt = 1; ; attempt++) {
    const taker = new SnapshotTaker(init, plan, options);
    try {
      const snapshot = await taker.take();
      if (!snapshot || !taker.hasMissed || attempt === ATTEMPTS) return snapshot;
    } catch (error) {
      taker.close();
      throw error;
    }
    taker.close();
  }
}

class SnapshotTaker {
  /** a file was compressed while it was looked at */
  hasMissed = false;
  readonly #init: InitApi;
  readonly #plan: LogPlan;
  readonly #options: SourceOptions;
  readonly #held: FileStream[] = [];
  readonly #last: { tailLines?: number };
  #first: FirstFile | undefined;

  constructor(init: InitApi, plan: LogPlan, options: SourceOptions) {
    this.#init = init;
    this.#plan = plan;
    this.#options = options;
    this.#last = options.tail === undefined ? {} : { tailLines: options.tail };
  }

  close(): void {
    for (const stream of this.#held) stream.body.destroy();
  }

  async take(): Promise<LogSnapshot | undefined> {
    const { tail, follow } = this.#options;
    const following = follow === undefined ? {} : { follow };
    const current = await this.#hold(this.#plan.path, following);
    if (!current) return undefined;
    const withTail = tail === undefined ? undefined : { ...following, ...this.#last };
    const currentTail = withTail && (await this.#hold(this.#plan.path, withTail));
    const currentCount =
      withTail && (await this.#hold(this.#plan.path, { ...this.#last, limit: current.size }));
    if (withTail && (currentTail?.inode !== current.inode || currentCount?.inode !== current.inode)) {
      this.hasMissed = true;
    }
    const older = await this.#listOlder(current);
    return { current, currentTail, currentCount, older, first: this.#first, close: () => this.close() };
  }

  /**
   * From the youngest on, one after the other: a rotation meanwhile gives a file a higher number, so that it is met again
   * rather than missed. What was written after the current file was opened is no older one.
   */
  async #listOlder(current: FileStream): Promise<OlderFile[]> {
    const found: OlderFile[] = [];
    for (let number = 1; number < (this.#plan.rotation?.files ?? 1); number++) {
      // It may have got the next number, and the one in its place another name, while it was looked for.
      const file = (await this.#find(number)) ?? (await this.#find(number + 1));
      if (!file) break;
      const isNew = file.inode === current.inode || file.mtime > current.mtime;
      if (isNew || found.some((each) => isSame(each, file))) continue;
      found.push(file);
      if (!this.#first && !file.isCompressed && this.#plan.rotation?.compresses) await this.#holdFirst(file);
    }
    return found;
  }

  /** Three looks, since it may be compressed between two. */
  async #find(number: number): Promise<OlderFile | undefined> {
    const isLikelyCompressed = number > 1 && this.#plan.rotation?.compresses === true;
    for (const isCompressed of [isLikelyCompressed, !isLikelyCompressed, isLikelyCompressed]) {
      const stream = await open(this.#init, nameOf(this.#plan, number, isCompressed), { limit: 0 });
      stream?.body.destroy();
      if (stream) {
        const { inode, mtime, size } = stream;
        return { inode, mtime, size, number, isCompressed };
      }
    }
    return undefined;
  }

  async #holdFirst(file: OlderFile): Promise<void> {
    const path = nameOf(this.#plan, file.number, false);
    const options = { ...this.#last, limit: limitOf(this.#plan) };
    const content = await this.#hold(path, options);
    const counted = this.#options.tail === undefined ? undefined : await this.#hold(path, options);
    if (!isSame(content, file) || (counted && !isSame(counted, file)) || !content) {
      this.hasMissed = true;
      return;
    }
    const lines = counted ? await countLines(counted.body) : Number.POSITIVE_INFINITY;
    this.#first = { file, content, lines };
  }

  async #hold(path: string, options: Parameters<InitApi['readFile']>[1]): Promise<FileStream | undefined> {
    const stream = await open(this.#init, path, options);
    if (stream) this.#held.push(stream);
    return stream;
  }
}

/** Opens an older file, where it is now. Undefined when it is gone. */
export async function openOlder(
  init: InitApi,
  plan: LogPlan,
  file: OlderFile,
  options: { tailLines?: number },
): Promise<FileStream | undefined> {
  let absent = 0;
  // The youngest lacks this form of name while it is being compressed; two that lack it are the end.
  for (let number = file.number; number < (plan.rotation?.files ?? 1) && absent < 2; number++) {
    const path = nameOf(plan, number, file.isCompressed);
    const stream = await open(init, path, { ...options, limit: limitOf(plan) });
    if (isSame(stream, file)) return stream;
    stream?.body.destroy();
    absent = stream ? 0 : absent + 1;
  }
  return undefined;
}

function nameOf({ path }: LogPlan, number: number, isCompressed: boolean): string {
  return `${path}.${number}${isCompressed ? '.gz' : ''}`;
}

function limitOf(plan: LogPlan): number {
  return (plan.rotation?.size ?? 0) + SLACK;
}

function isSame(a: Identity | undefined, b: Identity): boolean {
  return a?.inode === b.inode && a.mtime === b.mtime && a.size === b.size;
}

// What a log holds, in the order in which it was written, from all of its files.

import type { InitApi } from '../sandbox/init-types.ts';
import type { LogPlan } from './driver.ts';
import { countLines, open, readThrough, skipLines, unzipped } from './read.ts';
import { type LogSnapshot, type OlderFile, openOlder, type SourceOptions, takeSnapshot } from './snapshot.ts';

/** An older file of which lines are wanted, and how many of its last ones. */
interface Wanted {
  file: OlderFile;
  lines: number;
}

/** What the log holds, oldest first, piece by piece; nothing when there is no log yet. */
export async function* logContent(
  init: InitApi,
  plan: LogPlan,
  options: SourceOptions,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const { tail, follow } = options;
  if ((plan.rotation?.files ?? 1) === 1 || tail === 0) {
    const file = await open(init, plan.path, {
      ...(tail === undefined ? {} : { tailLines: tail }),
      ...(follow === undefined ? {} : { follow }),
    });
    if (file) yield* readThrough(file.body, signal);
    return;
  }
  const snapshot = await takeSnapshot(init, plan, options);
  if (!snapshot) return;
  try {
    const older = await wantedFiles(init, plan, snapshot, tail, signal);
    for (const each of older) yield* olderContent(init, plan, snapshot, each, signal);
    const isWhole = tail === undefined || older.length > 0;
    yield* readThrough(
      (isWhole ? snapshot.current : (snapshot.currentTail ?? snapshot.current)).body,
      signal,
    );
  } finally {
    snapshot.close();
  }
}

/** Which of the older files are needed for so many lines, oldest first. */
async function wantedFiles(
  init: InitApi,
  plan: LogPlan,
  snapshot: LogSnapshot,
  tail: number | undefined,
  signal: AbortSignal,
): Promise<Wanted[]> {
  const all = Number.POSITIVE_INFINITY;
  if (tail === undefined) return snapshot.older.map((file) => ({ file, lines: all })).reverse();
  const wanted: Wanted[] = [];
  const { currentCount } = snapshot;
  let left = tail - (currentCount ? await countLines(readThrough(currentCount.body, signal)) : 0);
  for (const file of snapshot.older) {
    if (left <= 0 || signal.aborted) break;
    wanted.unshift({ file, lines: left });
    left -= await olderLines(init, plan, snapshot, file, signal);
  }
  return wanted;
}

async function olderLines(
  init: InitApi,
  plan: LogPlan,
  { first }: LogSnapshot,
  file: OlderFile,
  signal: AbortSignal,
): Promise<number> {
  if (first?.file === file) return first.lines;
  const stream = await openOlder(init, plan, file, {});
  if (!stream) return 0;
  return countLines(file.isCompressed ? unzipped(stream, plan, signal) : readThrough(stream.body, signal));
}

/** An older file, whole or its last lines. It may be gone by now, as the oldest: then there is nothing of it. */
async function* olderContent(
  init: InitApi,
  plan: LogPlan,
  { first }: LogSnapshot,
  { file, lines }: Wanted,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const isWhole = lines === Number.POSITIVE_INFINITY;
  if (first?.file === file) {
    const skip = isWhole ? 0 : Math.max(0, first.lines - lines);
    yield* skipLines(readThrough(first.content.body, signal), skip);
    return;
  }
  if (!file.isCompressed) {
    const stream = await openOlder(init, plan, file, isWhole ? {} : { tailLines: lines });
    if (stream) yield* readThrough(stream.body, signal);
    return;
  }
  let skip = 0;
  if (!isWhole) {
    const stream = await openOlder(init, plan, file, {});
    if (stream) skip = (await countLines(unzipped(stream, plan, signal))) - lines;
  }
  const stream = await openOlder(init, plan, file, {});
  if (stream) yield* skipLines(unzipped(stream, plan, signal), Math.max(0, skip));
}

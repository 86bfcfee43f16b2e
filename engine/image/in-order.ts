// Work on several things at a time, finished in their order.

export interface Work<Item, Result> {
  fetch(item: Item, stop: AbortSignal): Promise<Result>;
  /** in the order of the items */
  finish(result: Result, item: Item): Promise<void>;
  /** for what was fetched and not finished */
  undo(result: Result): Promise<void>;
}

/** Fetches several at a time and finishes each after the one before it. The first failure stops everything. */
export async function inOrder<Item, Result>(
  items: readonly Item[],
  parallel: number,
  signal: AbortSignal,
  work: Work<Item, Result>,
): Promise<readonly Item[]> {
  const stopper = new AbortController();
  const stop = AbortSignal.any([signal, stopper.signal]);
  const finished: Promise<void>[] = [];
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < items.length; index = next++) {
      const item = items[index];
      if (item === undefined || stop.aborted) return;
      const before = finished[index - 1];
      const run = async () => {
        const result = await work.fetch(item, stop);
        try {
          await before;
          stop.throwIfAborted();
        } catch (error) {
          await work.undo(result).catch(() => undefined);
          throw error;
        }
        await work.finish(result, item);
      };
      const done = run();
      finished[index] = done;
      await done.catch((error: unknown) => {
        stopper.abort(error);
      });
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  stop.throwIfAborted();
  return items;
}

// Running work side by side: so many at a time, each after what it builds on.

export interface Task {
  name: string;
  /** names of tasks that must be done before; those that are not in the list are done already */
  after: readonly string[];
  run(): Promise<void>;
}

/** Runs all, at most `width` at a time, in their order where there is a choice. After a failure none begins; rejects with the first. */
export async function runTasks(tasks: readonly Task[], width: number): Promise<void> {
  const waiting = [...tasks];
  const running = new Map<string, Promise<void>>();
  let failure: { error: unknown } | undefined;
  const isReady = ({ after }: Task) =>
    after.every((name) => !running.has(name) && !waiting.some((task) => task.name === name));
  while (running.size > 0 || (waiting.length > 0 && !failure)) {
    const index = failure || running.size >= width ? -1 : waiting.findIndex(isReady);
    const [task] = index < 0 ? [] : waiting.splice(index, 1);
    if (task) {
      const done = task
        .run()
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => running.delete(task.name));
      running.set(task.name, done);
    } else if (running.size === 0) {
      throw new Error(`these wait for each other: ${waiting.map(({ name }) => name).join(', ')}`);
    } else {
      await Promise.race(running.values());
    }
  }
  if (failure) throw failure.error;
}

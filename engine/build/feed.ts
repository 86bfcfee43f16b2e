// All builds of a sandbox as they run, for whoever watches them: the lesson page draws their graph.

import { messageOf } from '../errors.ts';
import type { Builder, BuildRequest, BuildResult } from './build.ts';
import type { BuildEvent } from './progress.ts';

/** What a watcher hears, in order. */
export type FeedEvent =
  | { build: string; kind: 'started'; target: string; references: readonly string[]; dockerfile: string }
  | { build: string; kind: 'progress'; event: BuildEvent }
  | { build: string; kind: 'ended'; error: string; imageId: string | undefined };

export class BuildFeed {
  readonly #watchers = new Set<{ listener(event: FeedEvent): void; onEnd(): void }>();

  /** `listener` hears everything from now on, `onEnd` when there is nothing more; returns the unsubscribe function. */
  subscribe(listener: (event: FeedEvent) => void, onEnd: () => void): () => void {
    const watcher = { listener, onEnd };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  publish(event: FeedEvent): void {
    for (const { listener } of [...this.#watchers]) listener(event);
  }

  /** The builder is gone. */
  end(): void {
    for (const { onEnd } of [...this.#watchers]) onEnd();
    this.#watchers.clear();
  }
}

/** Builds, and tells the feed. */
export async function runBuild(
  builder: Builder,
  feed: BuildFeed,
  request: BuildRequest,
): Promise<BuildResult> {
  const { id: build, output, target } = request;
  const references = 'references' in output ? output.references : [];
  feed.publish({ build, kind: 'started', target, references, dockerfile: request.dockerfile.path });
  const onProgress = (event: BuildEvent) => {
    request.onProgress(event);
    feed.publish({ build, kind: 'progress', event });
  };
  try {
    const result = await builder.build({ ...request, onProgress });
    feed.publish({ build, kind: 'ended', error: '', imageId: result.imageId });
    return result;
  } catch (error) {
    feed.publish({ build, kind: 'ended', error: messageOf(error), imageId: undefined });
    throw error;
  }
}

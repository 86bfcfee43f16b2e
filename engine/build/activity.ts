// Builds in the control API's shapes: what the feed says, as JSON for whoever draws it.

import type { BuildActivity, BuildStep, BuiltLayer } from '../client/build-events.ts';
import type { ImageStore } from '../image/local.ts';
import type { FeedEvent } from './feed.ts';
import type { BuildEvent, VertexStatus } from './progress.ts';

/** bytes of one line of output that are passed on */
const MAX_TEXT = 64 * 1024;

/** An event of the feed as watchers of the control API get it. */
export function describeActivity(event: FeedEvent, images: ImageStore): BuildActivity {
  const { build } = event;
  if (event.kind === 'progress') return describeProgress(build, event.event);
  if (event.kind === 'started') {
    return { ...event, references: [...event.references] };
  }
  const imageId = event.imageId ?? '';
  return { kind: 'ended', build, error: event.error, imageId, layers: layersOf(images, imageId) };
}

function describeProgress(build: string, event: BuildEvent): BuildActivity {
  switch (event.type) {
    case 'vertex':
      return { kind: 'step', build, step: describeStep(event) };
    case 'part': {
      const { vertex: step, id: name, current, total, completed } = event;
      return { kind: 'part', build, step, name, current, total, isDone: completed !== undefined };
    }
    case 'log': {
      const text = event.data.subarray(0, MAX_TEXT).toString('utf8');
      return { kind: 'log', build, step: event.vertex, stream: event.stream, time: toMs(event.time), text };
    }
    case 'warning': {
      const { rule, message, url, source } = event;
      const lines = source ? { firstLine: source.firstLine, lastLine: source.lastLine } : {};
      return { kind: 'warning', build, rule, message, url, ...lines };
    }
  }
}

function toMs(nanos: bigint): number {
  return Number(nanos) / 1e6;
}

function describeStep(status: VertexStatus): BuildStep {
  const { digest, inputs, name, started, completed, error, missReason } = status;
  return {
    digest,
    inputs: [...inputs],
    name,
    state: stateOf(status),
    error,
    ...(started === undefined ? {} : { started: toMs(started) }),
    ...(completed === undefined ? {} : { completed: toMs(completed) }),
    ...(missReason === undefined ? {} : { missReason }),
  };
}

function stateOf({ started, completed, isCached, error }: VertexStatus): BuildStep['state'] {
  if (error !== '') return 'failed';
  if (isCached) return 'cached';
  if (completed !== undefined) return 'done';
  return started === undefined ? 'waiting' : 'running';
}

function layersOf(images: ImageStore, imageId: string): BuiltLayer[] {
  const image = images.byId(imageId);
  if (!image) return [];
  const history = (image.config.history ?? []).filter((entry) => !entry.empty_layer);
  return image.layers.map(({ diffId, unpackedSize: size }, index) => {
    return { diffId, size, createdBy: history[index]?.created_by ?? '' };
  });
}

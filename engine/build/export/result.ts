// What a build gives: an image in the store, an archive of one, files, or nothing; shown as the step `exporting to …`.

import { createHash } from 'node:crypto';
import { messageOf, SystemError } from '../../errors.ts';
import { nowNanos } from '../../events/clock.ts';
import { packLayer } from '../../image/layer-tool.ts';
import type { ImageSources } from '../../image/pull.ts';
import { saveImages } from '../../image/save.ts';
import { IN_SANDBOX } from '../../sandbox/sandbox.ts';
import type { BuildRequest, BuildResult } from '../build.ts';
import type { ExecuteParts } from '../execute/executor.ts';
import { readOnlyOverlay } from '../execute/file.ts';
import { BUILD_RUN, newLayer, type Snapshot } from '../execute/snapshot.ts';
import type { BuildPlan } from '../graph.ts';
import { type ExportProgress, exportImage, nameImage } from './image.ts';

interface Finished {
  plan: BuildPlan;
  snapshot: Snapshot;
  request: BuildRequest;
}

/** Exports as the request's output says. */
export async function exportResult(
  parts: ExecuteParts,
  { catalogue }: ImageSources,
  finished: Finished,
): Promise<BuildResult> {
  const { request } = finished;
  const { output } = request;
  switch (output.type) {
    case 'none':
      return { imageId: undefined, manifestDigest: undefined };
    case 'files':
      await show(request, 'exporting to client directory', () => exportFiles(parts, finished, output.write));
      return { imageId: undefined, manifestDigest: undefined };
    case 'image': {
      const imageId = await show(request, 'exporting to image', (progress) =>
        makeImage(parts, finished, output.references, progress),
      );
      return { imageId, manifestDigest: undefined };
    }
    case 'archive': {
      const imageId = await show(request, `exporting to ${output.layout} image format`, async (progress) => {
        const id = await makeImage(parts, finished, [], progress);
        const image = parts.images.byId(id);
        if (!image) throw new SystemError('the image that was built is not there');
        const chosen = [{ image, tags: [...output.references] }];
        await output.write(buffers(saveImages(parts, catalogue, chosen, request.signal)));
        return id;
      });
      return { imageId, manifestDigest: undefined };
    }
  }
}

async function* buffers(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of source) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

async function makeImage(
  parts: ExecuteParts,
  { plan, snapshot, request }: Finished,
  references: readonly string[],
  progress: ExportProgress,
): Promise<string> {
  const hold = parts.layers.hold();
  try {
    const id = await exportImage(parts, plan, snapshot, { request, hold, progress });
    await nameImage(parts, id, references, progress);
    return id;
  } finally {
    hold.release();
  }
}

/** The result's root as one archive: its layers are joined by a mount that nobody else sees. */
async function exportFiles(
  parts: ExecuteParts,
  { snapshot, request }: Finished,
  write: (tar: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  const { init } = parts.sandbox;
  const path = `${BUILD_RUN}/${newLayer().id}`;
  try {
    await parts.gate.shared(() =>
      init.start([
        { kind: 'mkdir', path },
        { kind: 'chdir', path: IN_SANDBOX.dockerRoot },
        readOnlyOverlay(path, snapshot),
      ]),
    );
    await write(packLayer(init, path, request.signal));
  } finally {
    await init
      .start([
        { kind: 'umount', path },
        { kind: 'rmtree', path },
      ])
      .catch((error) => parts.log.warn({ err: error }, 'an export left its mount'));
  }
}

/** The export as a step of the build. */
async function show<T>(
  { onProgress, id }: BuildRequest,
  name: string,
  task: (progress: ExportProgress) => Promise<T>,
): Promise<T> {
  const digest = `sha256:${createHash('sha256').update(`${id} ${name}`).digest('hex')}`;
  const started = nowNanos();
  const vertex = { type: 'vertex', digest, inputs: [], name, isCached: false, started } as const;
  onProgress({ ...vertex, error: '' });
  try {
    const result = await task(async (part, run) => {
      const begun = nowNanos();
      const about = { type: 'part', vertex: digest, id: part, current: 0, total: 0, started: begun } as const;
      onProgress(about);
      const value = await run();
      onProgress({ ...about, completed: nowNanos() });
      return value;
    });
    onProgress({ ...vertex, completed: nowNanos(), error: '' });
    return result;
  } catch (error) {
    onProgress({ ...vertex, completed: nowNanos(), error: messageOf(error) });
    throw error;
  }
}

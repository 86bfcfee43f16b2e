// What a build gives: an image in the store, an archive of one, files, or nothing.

import { digestOf } from '../../image/blobs.ts';
import type { Catalogue } from '../../image/catalogue.ts';
import type { LayerHold } from '../../image/layers.ts';
import { familiarReference, parseReference } from '../../image/reference.ts';
import { type SavedImage, saveImages } from '../../image/save.ts';
import type { BuildRequest, BuildResult } from '../build.ts';
import type { ExecuteParts } from '../execute/executor.ts';
import type { Snapshot } from '../execute/snapshot.ts';
import type { BuildPlan } from '../graph.ts';
import { imageConfig } from './config.ts';
import { exportFiles } from './files.ts';
import { LayerFreezer } from './layers.ts';
import { type ExportProgress, showExport } from './progress.ts';

/** A build whose steps are done. */
export interface Finished {
  plan: BuildPlan;
  snapshot: Snapshot;
  request: BuildRequest;
}

export class Exporter {
  readonly #parts: ExecuteParts;
  readonly #catalogue: Catalogue;
  readonly #freezer: LayerFreezer;
  #builds = 0;

  constructor(parts: ExecuteParts, catalogue: Catalogue) {
    this.#parts = parts;
    this.#catalogue = catalogue;
    this.#freezer = new LayerFreezer({ ...parts, init: parts.sandbox.init });
  }

  /** Runs a build; directories that exports have no use for are removed when none is running, since steps may have them mounted. */
  async during<T>(build: () => Promise<T>): Promise<T> {
    this.#builds += 1;
    try {
      return await build();
    } finally {
      this.#builds -= 1;
      if (this.#builds === 0) await this.#freezer.removeAbandoned();
    }
  }

  /** Exports as the request's output says. */
  async export({ plan, snapshot, request }: Finished): Promise<BuildResult> {
    const { output } = request;
    switch (output.type) {
      case 'none':
        return { imageId: undefined, manifestDigest: undefined };
      case 'files':
        await showExport(request, 'exporting to client directory', () =>
          exportFiles(this.#parts, snapshot, request, output.write),
        );
        return { imageId: undefined, manifestDigest: undefined };
      case 'image':
        return showExport(request, 'exporting to image', (progress) =>
          this.#withImage({ plan, snapshot, request }, progress, async (image) => {
            const imageId = await this.#store(image, output.references, progress);
            return { imageId, manifestDigest: undefined };
          }),
        );
      case 'archive':
        return showExport(request, `exporting to ${output.layout} image format`, (progress) =>
          this.#withImage({ plan, snapshot, request }, progress, async (image) => {
            const saved = this.#saved(image);
            const tags = [...output.references];
            const archive = saveImages(
              this.#parts,
              this.#catalogue,
              [{ image: saved, tags }],
              request.signal,
            );
            await progress('sending tarball', () => output.write(buffers(archive)));
            return { imageId: saved.id, manifestDigest: undefined };
          }),
        );
    }
  }

  /** Makes the image's layers and configuration; the layers stay at least until `use` is done. */
  async #withImage<T>(
    { plan, snapshot, request }: Finished,
    progress: ExportProgress,
    use: (image: { text: string; diffIds: readonly string[] }) => Promise<T>,
  ): Promise<T> {
    const { sourceDateEpoch: epoch, signal } = request;
    const hold: LayerHold = this.#parts.layers.hold();
    try {
      const layers =
        snapshot.layers.length === 0
          ? []
          : await progress('exporting layers', () => this.#freezer.freeze(snapshot, hold, epoch, signal));
      return await use(imageConfig(plan, layers, epoch));
    } finally {
      hold.release();
      await this.#parts.layers.collect();
    }
  }

  async #store({ text }: { text: string }, references: readonly string[], progress: ExportProgress) {
    const { images, events } = this.#parts;
    const id = await progress(`writing image ${digestOf(text)}`, () => images.addImage(text));
    for (const reference of references) {
      // BuildKit names it as it was asked for, and the CLI does not ask for `latest`
      const shown = reference.replace(/:latest$/, '');
      await progress(`naming to ${shown}`, () => images.addReferences(id, [reference]));
      events.publish('image', 'tag', id, { name: familiarReference(parseReference(reference)) });
    }
    return id;
  }

  /** An image that is written to an archive and nowhere else. */
  #saved({ text, diffIds }: { text: string; diffIds: readonly string[] }): SavedImage {
    const layers = diffIds.flatMap((diffId) => this.#parts.images.layer(diffId) ?? []);
    return { id: digestOf(text), rawConfig: text, layers };
  }
}

async function* buffers(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of source) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

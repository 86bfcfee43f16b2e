// Which of a sandbox's own layers are there: put in place once, kept while an image, a container or work under way needs them.

import { Mutex } from '../sandbox/mutex.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { layerDirName } from './layer.ts';
import { clearStaging, discardLayer, placeLayer, removeLayerSteps, type StagedLayer } from './layer-tool.ts';
import type { ImageStore } from './local.ts';

/** Layers that work under way needs; release it when the work's image is recorded, or has failed. */
export interface LayerHold {
  /** these stay from then on, those that are there by then */
  keep(diffIds: readonly string[]): Promise<void>;
  /** puts a layer in its place; one that is there already is dropped (by `drop`, which discards it by default) */
  adopt(layer: StagedLayer, drop?: DropLayer): Promise<void>;
  release(): void;
}

/** What becomes of a layer that nobody needs. */
export type DropLayer = (layer: StagedLayer) => Promise<void>;

/** Owns the directories of private layers. */
export class LayerKeeper {
  readonly #sandbox: Sandbox;
  readonly #images: ImageStore;
  readonly #ofContainers: () => readonly (readonly string[])[];
  readonly #shared: { noteUnused(): void };
  readonly #lock = new Mutex();
  readonly #holds = new Set<Set<string>>();

  /**
   * @param shared is told when shared layers may be unused
   * @param ofContainers directory names of the layers that each container uses
   */
  constructor(
    sandbox: Sandbox,
    images: ImageStore,
    shared: { noteUnused(): void },
    ofContainers: () => readonly (readonly string[])[],
  ) {
    this.#sandbox = sandbox;
    this.#shared = shared;
    this.#images = images;
    this.#ofContainers = ofContainers;
  }

  hold(): LayerHold {
    const held = new Set<string>();
    this.#holds.add(held);
    return {
      keep: (diffIds) =>
        // not while layers are being removed, or they would seem to be there
        this.#lock.run(async () => {
          for (const diffId of diffIds) held.add(diffId);
        }),
      adopt: (layer, drop = (each) => discardLayer(this.#sandbox.init, each)) => {
        held.add(layer.diffId);
        return this.#lock.run(() => this.#place(layer, drop));
      },
      release: () => {
        this.#holds.delete(held);
      },
    };
  }

  async #place(layer: StagedLayer, drop: DropLayer): Promise<void> {
    const { init } = this.#sandbox;
    if (this.#images.layer(layer.diffId)) {
      await drop(layer);
      return;
    }
    await this.#images.addLayer(layer.diffId, layer);
    try {
      await placeLayer(init, layer);
    } catch (error) {
      await init.start(removeLayerSteps(layer.diffId));
      await this.#images.forgetLayers([layer.diffId]);
      throw error;
    }
  }

  /** Removes own layers that nothing needs, lets go of shared ones, and gives the diff ids of the own with the bytes of their files. */
  collect(): Promise<Map<string, number>> {
    return this.#lock.run(async () => {
      const removed = new Map<string, number>();
      const inContainers = new Set(this.#ofContainers().flat());
      const inImages = new Set(
        this.#images.list().flatMap((image) => image.layers.map((layer) => layer.diffId)),
      );
      for (const [diffId, { size }] of this.#images.privateLayers()) {
        const isHeld = [...this.#holds].some((held) => held.has(diffId));
        if (isHeld || inImages.has(diffId) || inContainers.has(`overlay2/${layerDirName(diffId)}`)) continue;
        removed.set(diffId, size);
      }
      if (removed.size > 0) {
        await this.#sandbox.init.start([...removed.keys()].flatMap(removeLayerSteps));
        await this.#images.forgetLayers([...removed.keys()]);
      }
      const isNeeded = (diffId: string) =>
        inContainers.has(layerDirName(diffId)) || [...this.#holds].some((held) => held.has(diffId));
      if (await this.#images.forgetShared(isNeeded)) this.#shared.noteUnused();
      return removed;
    });
  }

  /** At the engine's start: what was half done is taken away. */
  async reconcile(): Promise<void> {
    await clearStaging(this.#sandbox.init);
    await this.collect();
  }
}

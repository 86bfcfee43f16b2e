// Layers that steps made become an image's: each is packed once, which gives its diff id, and moved to where private layers lie.

import { SystemError } from '../../errors.ts';
import { Digester } from '../../image/bytes.ts';
import { layerDirName } from '../../image/layer.ts';
import { layerProcess, packLayer, type StagedLayer, unpackLayer } from '../../image/layer-tool.ts';
import type { LayerHold } from '../../image/layers.ts';
import type { ImageStore } from '../../image/local.ts';
import type { InitApi } from '../../sandbox/init-types.ts';
import { IN_SANDBOX } from '../../sandbox/sandbox.ts';
import type { Gate } from '../execute/gate.ts';
import type { Snapshot, StepLayer } from '../execute/snapshot.ts';
import type { ExportedLayer } from './config.ts';

/** Layers of one export that are packed at the same time: a lab host has few processors. */
const MAX_PACKED_AT_ONCE = 3;
const NEVER = '9223372036854775807';

export interface FreezeParts {
  readonly init: InitApi;
  readonly images: ImageStore;
  readonly gate: Pick<Gate, 'exclusive'>;
  readonly log: { warn(details: object, text: string): void };
}

/** Knows which layers are being packed, and what directories nobody will look at again. */
export class LayerFreezer {
  readonly #parts: FreezeParts;
  readonly #packed = new WeakMap<StepLayer, Promise<StagedLayer>>();
  readonly #clamped = new WeakMap<StepLayer, Map<number, string>>();
  /** steps that run may have them mounted */
  #abandoned: string[] = [];

  constructor(parts: FreezeParts) {
    this.#parts = parts;
  }

  /**
   * Makes every layer one that images can have; `hold` keeps them there.
   *
   * @param epoch seconds: no time in a layer of this build is later
   */
  async freeze(
    { layers }: Snapshot,
    hold: LayerHold,
    epoch: number | undefined,
    signal: AbortSignal,
  ): Promise<ExportedLayer[]> {
    await hold.keep(layers.flatMap(({ diffId }) => diffId ?? []));
    const diffIds =
      epoch === undefined
        ? await this.#freezeInPlace(layers, hold, signal)
        : await inParallel(layers, (layer) => this.#clampedCopy(layer, hold, epoch, signal));
    for (const diffId of diffIds) {
      if (this.#parts.images.layer(diffId)) continue;
      throw new SystemError(`layer ${diffId} was removed while the image was made: build it again`);
    }
    return layers.map(({ created }, index) => ({ diffId: diffIds[index] ?? '', created }));
  }

  /** Removes what duplicates left; not while a step may have it mounted. */
  async removeAbandoned(): Promise<void> {
    const abandoned = this.#abandoned.splice(0);
    if (abandoned.length === 0) return;
    await this.#parts.init
      .start(abandoned.map((path) => ({ kind: 'rmtree', path })))
      .catch((error) => this.#parts.log.warn({ err: error }, 'layers of a build are left over'));
  }

  async #freezeInPlace(
    layers: readonly StepLayer[],
    hold: LayerHold,
    signal: AbortSignal,
  ): Promise<string[]> {
    const fresh = layers.filter(({ diffId }) => diffId === undefined);
    const packed = await inParallel(fresh, (layer) => this.#pack(layer, signal));
    if (packed.length > 0) {
      await this.#parts.gate.exclusive(async () => {
        for (const [index, staged] of packed.entries()) {
          const layer = fresh[index];
          if (layer) await this.#move(layer, staged, hold);
        }
      });
    }
    return layers.map(({ diffId }) => diffId ?? '');
  }

  async #move(layer: StepLayer, staged: StagedLayer | undefined, hold: LayerHold): Promise<void> {
    if (layer.diffId === undefined && staged) {
      await hold.adopt(staged, async ({ directory }) => {
        this.#abandoned.push(directory);
      });
      layer.location = `overlay2/${layerDirName(staged.diffId)}`;
      layer.diffId = staged.diffId;
      layer.size = staged.size;
    } else if (layer.diffId !== undefined) {
      // another build was quicker
      await hold.keep([layer.diffId]);
    }
  }

  /** Once for each layer, whoever asks: what it is does not change, and it must not be moved while it is read. */
  async #pack(layer: StepLayer, signal: AbortSignal): Promise<StagedLayer | undefined> {
    for (;;) {
      signal.throwIfAborted();
      if (layer.diffId !== undefined) return undefined;
      const other = this.#packed.get(layer);
      if (!other) break;
      const staged = await other.catch(() => undefined);
      if (staged) return staged;
    }
    const packing = packInPlace(this.#parts.init, layer, signal);
    this.#packed.set(layer, packing);
    packing.catch(() => this.#packed.delete(layer));
    return packing;
  }

  /** Files keep their own times; what the image has is a copy. */
  async #clampedCopy(layer: StepLayer, hold: LayerHold, epoch: number, signal: AbortSignal): Promise<string> {
    if (layer.diffId !== undefined && layer.created === undefined) return layer.diffId;
    const { init, images } = this.#parts;
    const known = this.#clamped.get(layer)?.get(epoch);
    if (known !== undefined) {
      await hold.keep([known]);
      if (images.layer(known)) return known;
    }
    const directory = `${IN_SANDBOX.dockerRoot}/${layer.location}`;
    const staged = await unpackLayer(init, packLayer(init, directory, signal, epoch), signal);
    await hold.adopt(staged);
    this.#clamped.set(layer, new Map([...(this.#clamped.get(layer) ?? []), [epoch, staged.diffId]]));
    return staged.diffId;
  }
}

/** What a layer is as an archive; its directory gets the record that readLayer needs. */
async function packInPlace(init: InitApi, layer: StepLayer, signal: AbortSignal): Promise<StagedLayer> {
  const files = `${IN_SANDBOX.dockerRoot}/${layer.location}`;
  const directory = files.slice(0, files.lastIndexOf('/'));
  const split = `${directory}/split`;
  // of a packing that was interrupted
  await init.start([{ kind: 'rmtree', path: split }]);
  let message = '';
  const digester = new Digester();
  const archive = layerProcess(init, ['pack', files, split, NEVER], {
    signal,
    onMessage: (text) => {
      message = text;
    },
  });
  for await (const _ of digester.pass(archive));
  const size = Number(/^(\d{1,15})\n$/.exec(message)?.[1] ?? Number.NaN);
  if (!Number.isSafeInteger(size)) throw new SystemError('the sandbox answered nonsense to a packing');
  return { diffId: digester.digest(), archiveSize: digester.size, size, directory };
}

/** Results in the order of the items; the first failure ends it once those under way are over. */
async function inParallel<T, R>(items: readonly T[], task: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Map<number, R>();
  const waiting = [...items.entries()];
  let failure: { error: unknown } | undefined;
  const worker = async () => {
    for (let next = waiting.shift(); next && !failure; next = waiting.shift()) {
      try {
        results.set(next[0], await task(next[1]));
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: MAX_PACKED_AT_ONCE }, worker));
  if (failure) throw failure.error;
  return [...results.entries()].sort(([a], [b]) => a - b).map(([, result]) => result);
}

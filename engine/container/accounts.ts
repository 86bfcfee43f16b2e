// The passwd and group files of a container, found in its layers from the top, and kept for layers that cannot change.

import { EngineError, Unavailable } from '../errors.ts';
import { layerLocation } from '../image/layer.ts';
import type { InitApi } from '../sandbox/init-types.ts';
import { IN_SANDBOX } from '../sandbox/sandbox.ts';
import { layerDir } from './files.ts';
import { readText } from './lab-files.ts';
import type { ContainerRecord } from './record.ts';

export interface AccountFiles {
  passwd: string;
  group: string;
}

const KEPT = 64;

/** Reads account files of one sandbox's containers. */
export class Accounts {
  /** by the image's layers, which are read-only */
  private readonly ofImages = new Map<string, Promise<AccountFiles>>();

  constructor(private readonly init: InitApi) {}

  /** Of the container as it is now: its own layer counts once it has been started. */
  async read(record: ContainerRecord, hasRun: boolean): Promise<AccountFiles> {
    const own = hasRun
      ? await Promise.all(
          ['passwd', 'group'].map((name) => this.ownFile(`${layerDir(record.id)}/diff/etc/${name}`)),
        )
      : [];
    const ofImage = await this.ofImage(record.layers);
    return { passwd: own[0] ?? ofImage.passwd, group: own[1] ?? ofImage.group };
  }

  /** undefined where the layer does not have the file; empty where it removed it (overlay's whiteout is a device). */
  private async ownFile(path: string): Promise<string | undefined> {
    try {
      return await readText(this.init, path);
    } catch (error) {
      if (error instanceof EngineError && !(error instanceof Unavailable)) return '';
      throw error;
    }
  }

  private ofImage(layers: readonly string[]): Promise<AccountFiles> {
    const key = layers.join(':');
    const known = this.ofImages.get(key);
    if (known) return known;
    if (this.ofImages.size >= KEPT) this.ofImages.clear();
    const files = Promise.all([this.find(layers, 'passwd'), this.find(layers, 'group')]).then(
      ([passwd, group]) => ({
        passwd,
        group,
      }),
    );
    files.catch(() => this.ofImages.delete(key));
    this.ofImages.set(key, files);
    return files;
  }

  private async find(layers: readonly string[], name: string): Promise<string> {
    for (const layer of layers) {
      const text = await this.ownFile(`${IN_SANDBOX.dockerRoot}/${layerLocation(layer)}/etc/${name}`);
      if (text !== undefined) return text;
    }
    return '';
  }
}

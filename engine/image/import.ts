// docker import: an archive of a file system becomes an image of one layer.

import type { ContainerParts } from '../container/parts.ts';
import { formatNanos, nowNanos } from '../events/clock.ts';
import type { Bytes } from './bytes.ts';
import { applyChanges } from './changes.ts';
import { decompress, unpackLayer } from './layer-tool.ts';
import { GO_ARCHITECTURE } from './manifest.ts';
import type { OciImageConfig } from './oci-image.ts';
import { newTag } from './tag.ts';

export interface ImportOptions {
  repo: string;
  tag: string;
  message: string;
  changes: readonly string[];
  signal: AbortSignal;
}

/** Makes an image of an archive, compressed or not, and gives its id. */
export async function importImage(
  parts: ContainerParts,
  archive: Bytes,
  options: ImportOptions,
): Promise<string> {
  const { images, layers, events } = parts;
  const { init } = parts.sandbox;
  const reference = options.repo === '' ? undefined : newTag(options.repo, options.tag);
  const config = applyChanges({}, options.changes);
  const hold = layers.hold();
  try {
    const layer = await unpackLayer(init, decompress(init, archive, options.signal), options.signal);
    await hold.adopt(layer);
    const created = formatNanos(nowNanos());
    const next: OciImageConfig = {
      architecture: GO_ARCHITECTURE[process.arch] ?? process.arch,
      config,
      created,
      history: [{ created, comment: options.message }],
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [layer.diffId] },
    };
    const id = await images.addImage(JSON.stringify(next));
    if (reference !== undefined) {
      await images.addReferences(id, [reference.full]);
      events.publish('image', 'tag', id, { ...config.Labels, name: reference.familiar });
    }
    events.publish('image', 'import', id, { ...config.Labels, name: id });
    return id;
  } finally {
    hold.release();
    await layers.collect();
  }
}

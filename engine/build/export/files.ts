// The files of a build's result as one archive: its layers are joined by a mount that nobody else sees.

import { packLayer } from '../../image/layer-tool.ts';
import { TAR_END } from '../../image/tar.ts';
import { IN_SANDBOX } from '../../sandbox/sandbox.ts';
import type { BuildRequest } from '../build.ts';
import type { ExecuteParts } from '../execute/executor.ts';
import { readOnlyOverlay } from '../execute/file.ts';
import { BUILD_RUN, newLayer, type Snapshot } from '../execute/snapshot.ts';

/** Writes it; nothing is left mounted when it fails. */
export async function exportFiles(
  parts: ExecuteParts,
  snapshot: Snapshot,
  request: Pick<BuildRequest, 'signal' | 'sourceDateEpoch'>,
  write: (tar: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  if (snapshot.layers.length === 0) return write(emptyArchive());
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
    await write(packLayer(init, path, request.signal, request.sourceDateEpoch));
  } finally {
    await init
      .start([
        { kind: 'umount', path },
        { kind: 'rmtree', path },
      ])
      .catch((error) => parts.log.warn({ err: error }, 'an export left its mount'));
  }
}

async function* emptyArchive(): AsyncGenerator<Buffer> {
  yield TAR_END;
}

// The size of a container's terminal.

import { Conflict } from '../errors.ts';
import type { Container } from './container.ts';
import type { ContainerParts } from './parts.ts';
import { isRunning } from './record.ts';

export async function resizeContainer(
  parts: ContainerParts,
  container: Container,
  rows: number,
  cols: number,
): Promise<void> {
  if (!isRunning(container.record)) throw new Conflict(`container ${container.id} is not running`);
  // Without a terminal there is nothing to do, and Docker says so to nobody.
  if (container.record.config.Tty) await parts.sandbox.init.resize(container.key, rows, cols);
  parts.events.publish('container', 'resize', container.id, {
    ...container.attributes,
    height: String(rows),
    width: String(cols),
  });
}

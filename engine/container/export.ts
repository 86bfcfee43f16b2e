// docker export: an archive of a container's root, without what is mounted into it.

import type { Container } from './container.ts';
import type { ContainerParts } from './parts.ts';
import { PLAIN_VIEW, viewContainer } from './view.ts';

export async function* exportContainer(
  parts: ContainerParts,
  container: Container,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  parts.events.publish('container', 'export', container.id, container.attributes);
  yield* viewContainer(parts, container, { ...PLAIN_VIEW, verb: 'export', path: '/', signal });
}

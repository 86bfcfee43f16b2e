// docker attach: a live connection to a container's streams, also before its start (as docker run does).

import { Conflict } from '../errors.ts';
import type { Attachment, AttachOptions } from '../sandbox/init-types.ts';
import type { Container } from './container.ts';
import type { ContainerParts } from './parts.ts';
import { isRunning } from './record.ts';
import { reservedProcess } from './start.ts';

/** Attaches; a container that does not run is made known to berth-init, so that nothing of its start is missed. */
export async function attachContainer(
  parts: ContainerParts,
  container: Container,
  options: AttachOptions,
): Promise<Attachment> {
  const { init } = parts.sandbox;
  const attachment = await container.lock.run(async () => {
    const { state } = container.record;
    if (state.status === 'paused') {
      throw new Conflict(`container ${container.id} is paused, unpause the container before attach`);
    }
    if (state.status === 'restarting') {
      throw new Conflict(`container ${container.id} is restarting, wait until the container is running`);
    }
    if (!isRunning(container.record) && !container.isReserved) {
      await init.reserve(reservedProcess(parts, container));
      container.isReserved = true;
    }
    return init.attach(container.key, {
      ...options,
      stdin: (options.stdin ?? false) && container.record.config.OpenStdin,
      stdinOnce: container.record.config.StdinOnce,
    });
  });
  parts.events.publish('container', 'attach', container.id, container.attributes);
  return attachment;
}

// docker rename.

import { Conflict, InvalidParameter } from '../errors.ts';
import type { Container } from './container.ts';
import { renameInLinks } from './links.ts';
import type { ContainerParts } from './parts.ts';

export function renameContainer(parts: ContainerParts, container: Container, newName: string): Promise<void> {
  return container.lock.run(async () => {
    if (newName === '') throw new InvalidParameter('Neither old nor new names may be empty');
    const oldName = container.record.name;
    if (newName.replace(/^\//, '') === oldName) {
      throw new InvalidParameter('Renaming a container with the same name as its current name');
    }
    const name = reserve(parts, newName, container.id);
    try {
      await parts.containers.update(container, { name });
    } catch (error) {
      parts.containers.releaseName(name);
      throw error;
    }
    parts.containers.releaseName(oldName);
    await renameInLinks(parts, oldName, name);
    parts.events.publish('container', 'rename', container.id, {
      ...container.attributes,
      oldName: `/${oldName}`,
    });
  });
}

/** Docker says first what it was about. */
function reserve(parts: ContainerParts, name: string, id: string): string {
  try {
    return parts.containers.reserveName(name, id);
  } catch (error) {
    if (error instanceof Conflict) {
      throw new Conflict(`Error when allocating new name: ${error.message}`, { cause: error });
    }
    if (!(error instanceof InvalidParameter)) throw error;
    throw new InvalidParameter(`Error when allocating new name: ${error.message}`, { cause: error });
  }
}

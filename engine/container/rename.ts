// docker rename.

import { InvalidParameter } from '../errors.ts';
import type { Container } from './container.ts';
import { validName } from './id.ts';
import type { ContainerParts } from './parts.ts';

export function renameContainer(parts: ContainerParts, container: Container, newName: string): Promise<void> {
  return container.lock.run(async () => {
    if (newName === '') throw new InvalidParameter('Neither old nor new names may be empty');
    const oldName = container.record.name;
    if (validName(newName) === oldName) {
      throw new InvalidParameter('Renaming a container with the same name as its current name');
    }
    const name = parts.containers.reserveName(newName, container.id);
    try {
      await parts.containers.update(container, { name });
    } catch (error) {
      parts.containers.releaseName(name);
      throw error;
    }
    parts.containers.releaseName(oldName);
    parts.events.publish('container', 'rename', container.id, {
      ...container.attributes,
      oldName: `/${oldName}`,
    });
  });
}

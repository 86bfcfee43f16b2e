// Volumes whose driver options mount something: mounted for the first container that runs, unmounted after the last.

import { SystemError } from '../errors.ts';
import { StartFailed } from '../sandbox/init-types.ts';
import { volumeData } from './files.ts';
import { driverMount } from './options.ts';
import type { VolumeParts } from './parts.ts';
import { lowerFirst } from './words.ts';

/** Which running containers hold which mounted volume. */
export class VolumeMounts {
  readonly #holders = new Map<string, Set<string>>();

  /** Notes what a container that runs holds; before anything is started. */
  claim(container: string, names: readonly string[]): void {
    for (const name of names) this.#holdersOf(name).add(container);
  }

  /** Mounts what a container needs and is not mounted yet. Throws in Docker's words; nothing is held then. */
  async acquire(parts: VolumeParts, container: string, names: readonly string[]): Promise<void> {
    const held: string[] = [];
    try {
      for (const name of this.#withMount(parts, names)) {
        await parts.volumes.exclusively([name], async () => {
          await this.#mount(parts, name);
          this.claim(container, [name]);
        });
        held.push(name);
      }
    } catch (error) {
      await this.release(parts, container, held);
      throw error;
    }
  }

  /** Unmounts what nobody else needs. What cannot be unmounted is reported only: the container has ended. */
  async release(parts: VolumeParts, container: string, names: readonly string[]): Promise<void> {
    for (const name of this.#withMount(parts, names)) {
      await parts.volumes.exclusively([name], async () => {
        const holders = this.#holdersOf(name);
        holders.delete(container);
        if (holders.size > 0) return;
        this.#holders.delete(name);
        await parts.sandbox.init
          .start([{ kind: 'umount', path: volumeData(name) }])
          .catch((error) => parts.log.warn({ err: error, volume: name }, 'a volume could not be unmounted'));
      });
    }
  }

  /** At the engine's start: unmounts what no running container holds. */
  async reconcile(parts: VolumeParts): Promise<void> {
    const names = parts.volumes.all().map((volume) => volume.name);
    const idle = this.#withMount(parts, names).filter((name) => this.#holdersOf(name).size === 0);
    if (idle.length === 0) return;
    await parts.sandbox.init.start(idle.map((name) => ({ kind: 'umount', path: volumeData(name) })));
  }

  async #mount(parts: VolumeParts, name: string): Promise<void> {
    const mount = driverMount(parts.volumes.get(name));
    if (!mount || this.#holdersOf(name).size > 0) return;
    const path = volumeData(name);
    try {
      await parts.sandbox.init.start([{ kind: 'umount', path }, ...mount.steps]);
    } catch (error) {
      if (!(error instanceof StartFailed)) throw error;
      const why = lowerFirst(error.text).replace(/^mount .*: /, '');
      throw new SystemError(
        `error while mounting volume '${path}': failed to mount local volume: ${mount.description}: ${why}`,
        { cause: error },
      );
    }
  }

  #withMount({ volumes }: VolumeParts, names: readonly string[]): string[] {
    return [...new Set(names)].filter((name) => {
      const volume = volumes.find(name);
      return volume !== undefined && driverMount(volume) !== undefined;
    });
  }

  #holdersOf(name: string): Set<string> {
    const holders = this.#holders.get(name) ?? new Set();
    this.#holders.set(name, holders);
    return holders;
  }
}

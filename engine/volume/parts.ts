// What the verbs of volumes work with.

import type { EventBus } from '../events/bus.ts';
import type { Logger } from '../log.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { VolumeStore } from './store.ts';

export interface VolumeParts {
  readonly sandbox: Sandbox;
  readonly volumes: VolumeStore;
  readonly events: EventBus;
  readonly log: Logger;
}

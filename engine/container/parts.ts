// What the verbs of containers work with: the collaborators of one sandbox, wired once by the tenant.

import type { EventBus } from '../events/bus.ts';
import type { LayerKeeper } from '../image/layers.ts';
import type { ImageStore } from '../image/local.ts';
import type { Logger } from '../log.ts';
import type { Networks } from '../network/networks.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { VolumeMounts } from '../volume/mount.ts';
import type { VolumeParts } from '../volume/parts.ts';
import type { Accounts } from './accounts.ts';
import type { HealthWatch } from './health.ts';
import type { NameServer } from './names.ts';
import type { ContainerStore } from './store.ts';
import type { UsageReader } from './usage.ts';

export interface ContainerParts extends VolumeParts {
  readonly sandbox: Sandbox;
  readonly containers: ContainerStore;
  readonly images: ImageStore;
  readonly layers: LayerKeeper;
  readonly networks: Networks;
  readonly names: NameServer;
  readonly volumeMounts: VolumeMounts;
  readonly events: EventBus;
  readonly accounts: Accounts;
  readonly usage: UsageReader;
  readonly health: HealthWatch;
  readonly log: Logger;
  /** Docker's default, containers-common format */
  readonly seccompProfile: unknown;
  /** the kernel limits swap too */
  readonly hasSwapLimit: boolean;
}

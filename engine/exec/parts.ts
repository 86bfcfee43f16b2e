// What the verbs of exec work with.

import type { ContainerParts } from '../container/parts.ts';
import type { ExecStore } from './store.ts';

export interface ExecParts extends ContainerParts {
  readonly execs: ExecStore;
}

// What the front doors of builds work with, wired once for each sandbox.

import type { Duplex } from 'node:stream';
import type { Logger } from '../log.ts';
import type { InitApi } from '../sandbox/init-types.ts';
import type { Builder } from './build.ts';
import { RunningBuilds } from './buildkit/builds.ts';
import { ContextStore } from './contexts/store.ts';
import { BuildFeed } from './feed.ts';
import { SessionRegistry } from './session/sessions.ts';

/** The collaborators of one sandbox's front doors. */
export interface BuildFronts {
  readonly builder: Builder;
  readonly sessions: SessionRegistry;
  readonly contexts: ContextStore;
  readonly builds: RunningBuilds;
  readonly feed: BuildFeed;
  readonly log: Logger;
  /** what cancels the classic builds that have an id */
  readonly classic: Map<string, () => void>;
  /** connections of BuildKit's clients */
  readonly connections: Set<Duplex>;
  /** address at which containers reach the lab host (`--add-host name:host-gateway`) */
  readonly gatewayAddress: string;
  /** names this builder among those that a client knows */
  readonly workerId: string;
}

/** Makes them, and takes away what builds of an engine before this one left. */
export async function openFronts(
  given: Pick<BuildFronts, 'builder' | 'log' | 'gatewayAddress' | 'workerId'> & { init: InitApi },
): Promise<BuildFronts> {
  const { init, ...rest } = given;
  const contexts = new ContextStore(init, (error) => given.log.warn({ err: error }, 'a build context stays'));
  await contexts.reconcile();
  return {
    ...rest,
    connections: new Set(),
    classic: new Map(),
    contexts,
    sessions: new SessionRegistry(),
    builds: new RunningBuilds(),
    feed: new BuildFeed(),
  };
}

/** Ends every connection, and with them what was being built. */
export function closeFronts(fronts: BuildFronts): void {
  for (const socket of fronts.connections) socket.destroy();
  fronts.feed.end();
  for (const cancel of fronts.classic.values()) cancel();
}

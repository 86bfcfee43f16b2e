// The file systems that steps yield: layers on top of each other, each one a directory of the sandbox.

import { randomBytes } from 'node:crypto';
import { IN_SANDBOX } from '../../sandbox/sandbox.ts';

/** Below Docker's root; layers that builds made, not in an image yet. Short, because one mount names up to a hundred. */
export const BUILD_ROOT = 'buildkit';
/** On tmpfs: mount points and bundles of steps that run. */
export const BUILD_RUN = `${IN_SANDBOX.run}/build`;

/** One layer. Steps that build on each other share it, so that it is frozen for all of them. */
export interface StepLayer {
  /** of its files, below Docker's root; changes once, when the layer becomes an image's */
  location: string;
  /** undefined until it is an image's layer */
  diffId: string | undefined;
  /** RFC 3339: when the step was done; undefined for layers of images */
  created: string | undefined;
  /** bytes of its files, where known */
  size: number | undefined;
}

/** A file system: its layers, lowest first. No layers: empty. */
export interface Snapshot {
  readonly layers: readonly StepLayer[];
}

export const EMPTY: Snapshot = { layers: [] };

/** A new layer's name and its directories in the sandbox. */
export function newLayer(): { id: string; layer: StepLayer; directory: string } {
  const id = randomBytes(6).toString('hex');
  const location = `${BUILD_ROOT}/${id}/files`;
  const layer: StepLayer = { location, diffId: undefined, created: undefined, size: undefined };
  return { id, layer, directory: `${IN_SANDBOX.dockerRoot}/${BUILD_ROOT}/${id}` };
}

/** An empty directory, for overlays that lie on nothing. */
const NOTHING = `${BUILD_ROOT}/nothing`;

/** Directories that builds need in a sandbox. */
export const buildDirectories = [
  `${IN_SANDBOX.dockerRoot}/${BUILD_ROOT}`,
  `${IN_SANDBOX.dockerRoot}/${NOTHING}`,
  BUILD_RUN,
];

/** overlay's `lowerdir`, relative to Docker's root; `above` lies on top of the layers. */
export function lowerDirs({ layers }: Snapshot, ...above: string[]): string {
  const names = [...above, ...layers.map(({ location }) => location).reverse()];
  return (names.length > 0 ? names : [NOTHING]).join(':');
}

/** overlay's lowerdir for a mount without an upper one, which wants two. */
export function readOnlyDirs(snapshot: Snapshot): string {
  return snapshot.layers.length > 1 ? lowerDirs(snapshot) : `${lowerDirs(snapshot)}:${NOTHING}`;
}

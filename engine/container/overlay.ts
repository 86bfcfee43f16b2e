// A container's root: its own layer over the init layer over its image's layers.

import { layerLocation } from '../image/layer.ts';
import type { Step } from '../sandbox/init-types.ts';
import { INIT_LAYER_LOWERDIR } from './boot.ts';
import { layerDir } from './files.ts';
import type { ContainerRecord } from './record.ts';

/** Mount options of its overlay; directories are relative to /var/lib/docker, since mount(2) takes one page of them. */
export function overlayOptions({ id, layers }: ContainerRecord): string {
  const lower = lowerDirs(layers).join(':');
  return `lowerdir=${lower},upperdir=overlay2/${id}/diff,workdir=overlay2/${id}/work,userxattr`;
}

/** What lies below a container's own layer, top first, relative to /var/lib/docker. */
export function lowerDirs(layers: readonly string[]): string[] {
  return [INIT_LAYER_LOWERDIR, ...layers.map(layerLocation)];
}

/** Where its overlay is mounted while it runs. */
export function mergedDir(id: string): string {
  return `${layerDir(id)}/merged`;
}

/** The directories of its own layer; they may be there. */
export function layerSteps(id: string): Step[] {
  return [
    { kind: 'mkdir', path: `${layerDir(id)}/diff`, mode: 0o755 },
    { kind: 'mkdir', path: `${layerDir(id)}/work`, mode: 0o700 },
    { kind: 'mkdir', path: mergedDir(id), mode: 0o700 },
  ];
}

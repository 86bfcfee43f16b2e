// docker volume ls and inspect: volumes in the shape of the Docker Engine API.

import type { Filters } from '../events/filters.ts';
import { volumeData } from './files.ts';
import { LOCAL_DRIVER, type VolumeRecord } from './record.ts';
import type { VolumeStore } from './store.ts';

export const VOLUME_FILTERS = ['dangling', 'driver', 'label', 'label!', 'name'];

export function describeVolume(volume: VolumeRecord): Record<string, unknown> {
  return {
    CreatedAt: volume.created,
    Driver: LOCAL_DRIVER,
    Labels: volume.labels,
    Mountpoint: volumeData(volume.name),
    Name: volume.name,
    Options: volume.options,
    Scope: 'local',
  };
}

/** Those that pass the filters, by name. */
export function filterVolumes(volumes: VolumeStore, filters: Filters): VolumeRecord[] {
  const dangling = filters.boolean('dangling');
  return volumes
    .list()
    .filter(
      (volume) =>
        filters.any('name', (name) => volume.name.includes(name)) &&
        filters.any('driver', (driver) => driver === LOCAL_DRIVER) &&
        filters.labels((label) => volume.labels?.[label]) &&
        (dangling === undefined || dangling === (volumes.users(volume.name).length === 0)),
    );
}

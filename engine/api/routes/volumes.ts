// /volumes: every operation.

import { z } from 'zod';
import { InvalidParameter, NotFound, Unavailable } from '../../errors.ts';
import { Filters } from '../../events/filters.ts';
import { createVolume } from '../../volume/create.ts';
import { describeVolume, filterVolumes, VOLUME_FILTERS } from '../../volume/describe.ts';
import type { VolumeParts } from '../../volume/parts.ts';
import { PRUNE_VOLUME_FILTERS, pruneVolumes } from '../../volume/prune.ts';
import { removeVolume } from '../../volume/remove.ts';
import { type Route, route } from '../router.ts';

const stringMap = z.record(z.string(), z.string()).nullish();

/** The body of POST /volumes/create. */
const CreateRequest = z.object({
  Name: z.string().nullish(),
  Driver: z.string().nullish(),
  DriverOpts: stringMap,
  Labels: stringMap,
  ClusterVolumeSpec: z.looseObject({}).nullish(),
});

export function volumeRoutes(parts: VolumeParts): Route[] {
  return [
    route('GET', '/volumes', (call) => {
      const filters = Filters.parse(call.query.get('filters'), VOLUME_FILTERS);
      call.send(200, { Volumes: filterVolumes(parts.volumes, filters).map(describeVolume), Warnings: null });
    }),
    route('POST', '/volumes/create', async (call) => {
      const { Name, Driver, DriverOpts, Labels, ClusterVolumeSpec } = await call.json(CreateRequest, {
        optional: true,
      });
      if (ClusterVolumeSpec) {
        throw new InvalidParameter('cluster volumes need a swarm, and this node is not part of one');
      }
      const volume = await createVolume(parts, {
        name: Name ?? '',
        driver: Driver ?? '',
        options: DriverOpts ?? {},
        labels: Labels ?? null,
      });
      call.send(201, describeVolume(volume));
    }),
    route('POST', '/volumes/prune', async (call) => {
      const filters = Filters.parse(call.query.get('filters'), PRUNE_VOLUME_FILTERS);
      // Before 1.42 it removed named ones as well.
      call.send(200, await pruneVolumes(parts, filters, !call.isAtLeast('1.42')));
    }),
    route('GET', '/volumes/{name}', (call) => {
      call.send(200, describeVolume(parts.volumes.get(call.param('name'))));
    }),
    route('PUT', '/volumes/{name}', () => {
      throw new Unavailable('volume update only valid for cluster volumes, but swarm is unavailable');
    }),
    route('DELETE', '/volumes/{name}', async (call) => {
      try {
        await removeVolume(parts, call.param('name'));
      } catch (error) {
        if (!(error instanceof NotFound && call.flag('force'))) throw error;
      }
      call.empty(204);
    }),
  ];
}

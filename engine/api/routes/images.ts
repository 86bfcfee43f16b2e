// /images: list, inspect, history, pull, tag, remove, prune.

import { isRunning } from '../../container/record.ts';
import { InvalidParameter, NotImplemented } from '../../errors.ts';
import { Filters } from '../../events/filters.ts';
import type { ExecParts } from '../../exec/parts.ts';
import type { Catalogue } from '../../image/catalogue.ts';
import { imageHistory, inspectImage } from '../../image/inspect.ts';
import { IMAGE_FILTERS, listImages } from '../../image/list.ts';
import { pullImage } from '../../image/pull.ts';
import { pruneImages, type RemoveParts, removeImage } from '../../image/remove.ts';
import { tagImage } from '../../image/tag.ts';
import type { Call } from '../call.ts';
import { type Route, route } from '../router.ts';

export function imageRoutes(parts: ExecParts, catalogue: Catalogue): Route[] {
  const { images, events } = parts;
  const removal: RemoveParts = {
    images,
    events,
    users: () =>
      parts.containers.list().map(({ record }) => ({
        id: record.id,
        image: record.image,
        isRunning: isRunning(record) || record.state.status === 'restarting',
      })),
  };
  return [
    route('GET', '/images/json', (call) => {
      call.send(200, listImages(images, Filters.parse(call.query.get('filters'), IMAGE_FILTERS)));
    }),
    route('POST', '/images/create', (call) => pull(parts, catalogue, call)),
    route('POST', '/images/prune', async (call) => {
      const filters = Filters.parse(call.query.get('filters'), ['dangling', 'label', 'label!', 'until']);
      if (filters.has('label') || filters.has('label!') || filters.has('until')) {
        throw new NotImplemented('image prune knows only the filter dangling in Berth yet');
      }
      const deleted = await pruneImages(removal, filters.boolean('dangling') === false);
      call.send(200, { ImagesDeleted: deleted.length > 0 ? deleted : null, SpaceReclaimed: 0 });
    }),
    route('GET', '/images/{name...}/json', (call) => {
      call.send(200, inspectImage(images, call.param('name')));
    }),
    route('GET', '/images/{name...}/history', (call) => {
      call.send(200, imageHistory(images, call.param('name')));
    }),
    route('POST', '/images/{name...}/tag', async (call) => {
      await tagImage(parts, call.param('name'), call.text('repo'), call.text('tag'));
      call.empty(201);
    }),
    route('DELETE', '/images/{name...}', async (call) => {
      call.send(200, await removeImage(removal, call.param('name'), call.flag('force')));
    }),
  ];
}

/** Progress as the client draws it: one JSON object a line. */
async function pull(parts: ExecParts, catalogue: Catalogue, call: Call): Promise<void> {
  const name = call.text('fromImage');
  if (call.text('fromSrc') !== '') throw new NotImplemented('docker import is not supported by Berth yet');
  if (name === '') throw new InvalidParameter('invalid reference format');
  const lines = await pullImage(
    { catalogue, images: parts.images, events: parts.events },
    name,
    call.text('tag'),
    call.text('platform'),
  );
  const output = call.stream(200, 'application/json');
  output.end(lines.map((line) => `${JSON.stringify(line)}\r\n`).join(''));
}

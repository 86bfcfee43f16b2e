// /images: list, inspect, history, pull, tag, remove, prune.

import { z } from 'zod';
import { isRunning } from '../../container/record.ts';
import { InvalidParameter, NotImplemented } from '../../errors.ts';
import { Filters } from '../../events/filters.ts';
import type { ExecParts } from '../../exec/parts.ts';
import type { Catalogue } from '../../image/catalogue.ts';
import { commitContainer } from '../../image/commit.ts';
import { importImage } from '../../image/import.ts';
import { imageHistory, inspectImage } from '../../image/inspect.ts';
import { IMAGE_FILTERS, listImages } from '../../image/list.ts';
import { loadImages } from '../../image/load.ts';
import type { Report } from '../../image/progress.ts';
import { type ImageSources, pullImage } from '../../image/pull.ts';
import { pruneImages, type RemoveParts, removeImage } from '../../image/remove.ts';
import { chooseImages, saveImages } from '../../image/save.ts';
import { tagImage } from '../../image/tag.ts';
import { decodeRegistryAuth } from '../../registry/credentials.ts';
import type { Call } from '../call.ts';
import { withProgress } from '../progress.ts';
import { type Route, route } from '../router.ts';
import { writeTo } from '../streams.ts';

export function imageRoutes(parts: ExecParts, sources: ImageSources): Route[] {
  const { images, events } = parts;
  const { catalogue } = sources;
  const removal: RemoveParts = {
    images,
    layers: parts.layers,
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
      const filters = Filters.parse(call.query.get('filters'), IMAGE_FILTERS);
      call.send(200, listImages(images, filters, { sharedSize: call.flag('shared-size') }));
    }),
    route('POST', '/images/create', (call) => pull(parts, sources, call)),
    route('POST', '/images/prune', async (call) => {
      const filters = Filters.parse(call.query.get('filters'), ['dangling', 'label', 'label!', 'until']);
      const { removed, bytes } = await pruneImages(removal, filters.boolean('dangling') === false, filters);
      call.send(200, { ImagesDeleted: removed.length > 0 ? removed : null, SpaceReclaimed: bytes });
    }),
    route('POST', '/images/load', (call) => load(parts, call)),
    route('GET', '/images/get', (call) => save(parts, catalogue, call, call.query.getAll('names'))),
    route('GET', '/images/{name...}/get', (call) => save(parts, catalogue, call, [call.param('name')])),
    route('POST', '/commit', (call) => commit(parts, call)),
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

async function pull(parts: ExecParts, sources: ImageSources, call: Call): Promise<void> {
  const name = call.text('fromImage');
  if (call.text('fromSrc') !== '') return importArchive(parts, call);
  if (name === '') throw new InvalidParameter('invalid reference format');
  const credentials = decodeRegistryAuth(call.header('x-registry-auth'));
  await withProgress(call, parts.log, (report) =>
    pullImage(parts, sources, {
      name,
      tag: call.text('tag'),
      platform: call.text('platform'),
      credentials,
      report,
      signal: call.signal,
    }),
  );
}

/** docker import; the client sends the archive, or the address of one, which Berth does not fetch. */
async function importArchive(parts: ExecParts, call: Call): Promise<void> {
  if (call.text('fromSrc') !== '-') {
    throw new NotImplemented('docker import from an address is not supported by Berth; give it a file or -');
  }
  const id = await importImage(parts, call.req, {
    repo: call.text('repo'),
    tag: call.text('tag'),
    message: call.text('message'),
    changes: call.query.getAll('changes'),
    signal: call.signal,
  });
  call.stream(200, 'application/json').end(`${JSON.stringify({ status: id })}\r\n`);
}

async function commit(parts: ExecParts, call: Call): Promise<void> {
  await call.json(z.unknown(), { optional: true });
  const container = parts.containers.get(call.text('container'));
  const id = await commitContainer(parts, container, {
    repo: call.text('repo'),
    tag: call.text('tag'),
    comment: call.text('comment'),
    author: call.text('author'),
    pause: call.flag('pause', true),
    changes: call.query.getAll('changes'),
    signal: call.signal,
  });
  call.send(201, { Id: id });
}

async function load(parts: ExecParts, call: Call): Promise<void> {
  const isQuiet = call.flag('quiet');
  await withProgress(call, parts.log, async (report) => {
    const tell: Report = isQuiet ? () => undefined : report;
    for (const line of await loadImages(parts, call.req, call.signal, tell)) report({ stream: `${line}\n` });
  });
}

async function save(
  parts: ExecParts,
  catalogue: Catalogue,
  call: Call,
  names: readonly string[],
): Promise<void> {
  const chosen = chooseImages(parts, names);
  const output = call.stream(200, 'application/x-tar');
  try {
    for await (const chunk of saveImages(parts, catalogue, chosen, call.signal)) {
      if (!(await writeTo(output, Buffer.from(chunk), call.signal))) return;
    }
    output.end();
  } catch (error) {
    // half an archive is sent: its client must see that it is not whole
    output.destroy();
    if (!call.signal.aborted) parts.log.warn({ err: error }, 'images could not be saved');
  }
  for (const { image } of chosen) {
    parts.events.publish('image', 'save', image.id, { ...image.config.config?.Labels, name: image.id });
  }
}

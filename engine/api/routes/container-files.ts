// /containers/{id}: archive (docker cp), export and changes (docker diff).

import { checkPath, getArchive, type PathStat, putArchive, statPath } from '../../container/archive.ts';
import { diffContainer } from '../../container/diff.ts';
import { exportContainer } from '../../container/export.ts';
import type { ContainerParts } from '../../container/parts.ts';
import { PathNotFound } from '../../container/view.ts';
import { NotFound } from '../../errors.ts';
import type { Call } from '../call.ts';
import { type Route, route } from '../router.ts';
import { writeTo } from '../streams.ts';

export function containerFileRoutes(parts: ContainerParts): Route[] {
  const find = (call: Call) => parts.containers.get(call.param('id'));
  return [
    route('HEAD', '/containers/{id}/archive', (call) =>
      named(call, async (path) => {
        describe(call, await statPath(parts, find(call), path, call.signal));
        call.res.writeHead(200).end();
      }),
    ),
    route('GET', '/containers/{id}/archive', (call) =>
      named(call, async (path) => {
        const { stat, archive } = await getArchive(parts, find(call), path, call.signal);
        describe(call, stat);
        await sendArchive(parts, call, archive);
      }),
    ),
    route('PUT', '/containers/{id}/archive', (call) =>
      named(call, async (path) => {
        await putArchive(parts, find(call), call.req, {
          path,
          keepsKinds: call.flag('noOverwriteDirNonDir'),
          setsOwner: call.flag('copyUIDGID'),
          signal: call.signal,
        });
        call.empty(200);
      }),
    ),
    route('GET', '/containers/{id}/export', async (call) => {
      await sendArchive(parts, call, exportContainer(parts, find(call), call.signal));
    }),
    route('GET', '/containers/{id}/changes', (call) => changes(parts, call)),
  ];
}

/** A path that is not there is told by the name that the client used for the container. */
async function named(call: Call, work: (path: string) => Promise<void>): Promise<void> {
  const path = call.text('path');
  checkPath(path);
  try {
    await work(path);
  } catch (error) {
    if (!(error instanceof PathNotFound)) throw error;
    throw new NotFound(`Could not find the file ${path} in container ${call.param('id')}`, { cause: error });
  }
}

function describe(call: Call, stat: PathStat): void {
  const text = Buffer.from(JSON.stringify(stat)).toString('base64');
  call.res.setHeader('X-Docker-Container-Path-Stat', text);
}

/** The answer begins with the first bytes, so that what fails before them is told as an error. */
async function sendArchive(
  parts: ContainerParts,
  call: Call,
  archive: AsyncGenerator<Buffer>,
): Promise<void> {
  const first = await archive.next();
  const output = call.stream(200, 'application/x-tar');
  try {
    if (!first.done && !(await writeTo(output, first.value, call.signal))) return;
    for await (const chunk of archive) if (!(await writeTo(output, chunk, call.signal))) return;
    output.end();
  } catch (error) {
    // half an archive is sent: its client must see that it is not whole
    output.destroy();
    if (!call.signal.aborted) parts.log.warn({ err: error }, 'files of a container could not be sent');
  } finally {
    await archive.return(undefined).catch(() => undefined);
  }
}

/** A list as long as the student likes: it is sent as it is found. */
async function changes(parts: ContainerParts, call: Call): Promise<void> {
  const found = diffContainer(parts, parts.containers.get(call.param('id')), call.signal);
  const first = await found.next();
  if (first.done) return call.send(200, null);
  const output = call.stream(200, 'application/json');
  output.write(`[${JSON.stringify(first.value)}`);
  for await (const change of found) {
    if (!(await writeTo(output, Buffer.from(`,${JSON.stringify(change)}`), call.signal))) return;
  }
  output.end(']\n');
}

// /containers: every operation but the streaming ones.

import { ContainerConfig, CreateRequest, HostConfig } from '../../container/config.ts';
import type { Container } from '../../container/container.ts';
import { createContainer } from '../../container/create.ts';
import { inspectContainer } from '../../container/inspect.ts';
import { killContainer } from '../../container/kill.ts';
import { removeLink } from '../../container/links.ts';
import { CONTAINER_FILTERS, listContainers } from '../../container/list.ts';
import { pauseContainer, unpauseContainer } from '../../container/pause.ts';
import { PRUNE_FILTERS, pruneContainers } from '../../container/prune.ts';
import { removeContainer } from '../../container/remove.ts';
import { renameContainer } from '../../container/rename.ts';
import { resizeContainer } from '../../container/resize.ts';
import { startContainer } from '../../container/start.ts';
import { restartContainer, type StopOptions, stopContainer } from '../../container/stop.ts';
import { topContainer } from '../../container/top.ts';
import { checkRestartPolicy, UpdateRequest, updateContainer } from '../../container/update.ts';
import { waitContainer } from '../../container/wait.ts';
import { Conflict, InvalidParameter, NotFound } from '../../errors.ts';
import { Filters } from '../../events/filters.ts';
import type { ExecParts } from '../../exec/parts.ts';
import { type Call, parseBody } from '../call.ts';
import { type Route, route } from '../router.ts';

export function containerRoutes(parts: ExecParts): Route[] {
  const find = (call: Call) => parts.containers.get(call.param('id'));
  return [
    route('GET', '/containers/json', async (call) => {
      const limit = call.integer('limit') ?? 0;
      const filters = Filters.parse(call.query.get('filters'), CONTAINER_FILTERS);
      call.send(
        200,
        await listContainers(parts, { all: call.flag('all'), limit, size: call.flag('size'), filters }),
      );
    }),
    route('POST', '/containers/create', (call) => create(parts, call)),
    route('POST', '/containers/prune', async (call) => {
      call.send(200, await pruneContainers(parts, Filters.parse(call.query.get('filters'), PRUNE_FILTERS)));
    }),
    route('GET', '/containers/{id}/json', async (call) => {
      call.send(200, await inspectContainer(parts, find(call), call.flag('size')));
    }),
    route('POST', '/containers/{id}/start', async (call) => {
      await startContainer(parts, find(call));
      call.empty(204);
    }),
    route('POST', '/containers/{id}/stop', async (call) => {
      await stopContainer(parts, find(call), stopOptions(call));
      call.empty(204);
    }),
    route('POST', '/containers/{id}/restart', async (call) => {
      await restartContainer(parts, find(call), stopOptions(call));
      call.empty(204);
    }),
    route('POST', '/containers/{id}/kill', async (call) => {
      await killContainer(parts, findForKill(parts, call.param('id')), call.text('signal'), call.param('id'));
      call.empty(204);
    }),
    route('POST', '/containers/{id}/pause', async (call) => {
      await pauseContainer(parts, find(call));
      call.empty(204);
    }),
    route('POST', '/containers/{id}/unpause', async (call) => {
      await unpauseContainer(parts, find(call));
      call.empty(204);
    }),
    route('POST', '/containers/{id}/rename', async (call) => {
      await renameContainer(parts, find(call), call.text('name'));
      call.empty(204);
    }),
    route('POST', '/containers/{id}/resize', async (call) => {
      const { rows, cols } = terminalSize(call);
      await resizeContainer(parts, find(call), rows, cols);
      call.empty(200);
    }),
    route('GET', '/containers/{id}/top', async (call) => {
      call.send(200, await topContainer(parts, find(call), call.text('ps_args')));
    }),
    route('POST', '/containers/{id}/update', async (call) => {
      const container = find(call);
      const request = await call.json(UpdateRequest);
      checkRestartPolicy(request);
      await updateContainer(parts, container, request);
      call.send(200, { Warnings: null });
    }),
    route('POST', '/containers/{id}/wait', (call) => wait(parts, call)),
    route('DELETE', '/containers/{id}/{alias}', async (call) => {
      const reference = `${call.param('id')}/${call.param('alias')}`;
      if (!call.flag('link')) throw new NotFound(`No such container: ${reference}`);
      await removeLink(parts, reference);
      call.empty(204);
    }),
    route('DELETE', '/containers/{id}', async (call) => {
      if (call.flag('link')) {
        throw new Conflict(`Conflict, cannot remove the default link name of the container`);
      }
      const container = find(call);
      await removeContainer(parts, container, {
        force: call.flag('force'),
        volumes: call.flag('v'),
      });
      parts.execs.removeOf(container.id);
      call.empty(204);
    }),
  ];
}

function findForKill(parts: ExecParts, reference: string): Container {
  try {
    return parts.containers.get(reference);
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
    throw new NotFound(`cannot kill container: ${reference}: ${error.message}`, { cause: error });
  }
}

async function create(parts: ExecParts, call: Call): Promise<void> {
  const body = await call.json(CreateRequest);
  if (Object.keys(body).every((name) => name === 'HostConfig' || name === 'NetworkingConfig')) {
    throw new InvalidParameter('config cannot be empty in order to create a container');
  }
  const config = parseBody(ContainerConfig, body);
  const { container, warnings } = await createContainer(parts, {
    name: call.text('name') || undefined,
    config,
    platform: call.text('platform'),
    hostConfig: body.HostConfig ?? HostConfig.parse({}),
    endpoints: body.NetworkingConfig?.EndpointsConfig ?? {},
  });
  call.send(201, { Id: container.id, Warnings: warnings });
}

function stopOptions(call: Call): StopOptions {
  return {
    timeout: call.integer('t'),
    signal: call.text('signal') || undefined,
    reference: call.param('id'),
  };
}

/** The `h` and `w` of a resize. */
export function terminalSize(call: Call): { rows: number; cols: number } {
  const rows = required(call, 'h');
  const cols = required(call, 'w');
  if (rows < 0 || cols < 0 || rows > 65535 || cols > 65535) {
    throw new InvalidParameter(`invalid terminal size: ${rows}x${cols}`);
  }
  return { rows, cols };
}

function required(call: Call, name: string): number {
  const value = call.integer(name);
  if (value === undefined) throw new InvalidParameter('strconv.Atoi: parsing "": invalid syntax');
  return value;
}

/** The headers go out at once: `docker run` starts the container when it has them. */
async function wait(parts: ExecParts, call: Call): Promise<void> {
  const container = parts.containers.get(call.param('id'));
  const { ending } = waitContainer(container, call.text('condition'), call.signal);
  ending.catch(() => undefined);
  const output = call.stream(200, 'application/json');
  try {
    const { exitCode, error } = await ending;
    output.end(
      `${JSON.stringify({ StatusCode: exitCode, ...(error ? { Error: { Message: error } } : {}) })}\n`,
    );
  } catch (error) {
    if (!call.signal.aborted) throw error;
  }
}

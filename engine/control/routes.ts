// The control API's routes: each decodes, calls and encodes (shapes: engine/client/types.ts).

import { z } from 'zod';
import {
  CreateSandbox,
  CreateTerminal,
  type ProcessInfo,
  RunRequest,
  type SandboxInfo,
  TerminalSize,
} from '../client/types.ts';
import type { Catalogue } from '../image/catalogue.ts';
import type { Logger } from '../log.ts';
import type { LabHost } from '../sandbox/lab-host.ts';
import type { SandboxManager } from '../sandbox/manager.ts';
import { listProcesses } from '../sandbox/processes.ts';
import type { ActivityHub } from './activity.ts';
import { serveBuilds } from './builds.ts';
import { DEFAULT_READ, MAX_READ, MAX_WRITE, readFile, writeFile } from './files.ts';
import {
  ANSWERED,
  type Call,
  parseInput,
  parseTarget,
  queryNumber,
  queryText,
  type Route,
  readBody,
  readJson,
  type StreamRoute,
} from './http.ts';
import { runProgram } from './run.ts';
import { serveDial, serveTerminal } from './streams.ts';
import type { Tenants } from './tenant.ts';
import {
  createTerminal,
  deleteTerminal,
  getTerminal,
  listTerminals,
  resizeTerminal,
  terminalKey,
} from './terminals.ts';

/** What the routes work on. */
export interface ControlParts {
  manager: SandboxManager;
  tenants: Tenants;
  activity: ActivityHub;
  catalogue: Catalogue;
  log: Logger;
}

const IpAddress = z.union([z.ipv4(), z.ipv6()], 'address must be an IP address');

/** A watcher of activity that has not read this much is cut off. */
const MAX_UNREAD_ACTIVITY = 2 ** 20;

export async function describeSandbox(sandbox: LabHost): Promise<SandboxInfo> {
  const memoryUsage = await sandbox.memoryUsage();
  return {
    id: sandbox.id,
    name: sandbox.name,
    hostname: sandbox.hostname,
    state: sandbox.state,
    created: sandbox.created,
    limits: { ...sandbox.limits },
    dockerSocket: sandbox.dockerSocket,
    pid: sandbox.pid,
    uidBase: sandbox.uidBase,
    ...(sandbox.link ? { link: { group: sandbox.link.group, hosts: [...sandbox.link.hosts] } } : {}),
    internet: sandbox.internet,
    ...(memoryUsage === undefined ? {} : { memoryUsage }),
  };
}

/** A path variable that the route's pattern has. */
function param(call: Call, name: string): string {
  return call.params[name] ?? '';
}

export function controlRoutes({ manager, tenants, activity, catalogue }: ControlParts): Route[] {
  const known = (call: Call) => manager.get(param(call, 'name'));
  const running = (call: Call) => manager.use(param(call, 'name'));
  const sandboxes = '/v1/sandboxes';
  const one = `${sandboxes}/:name`;

  return [
    { method: 'GET', pattern: '/v1/health', handle: async () => ({ status: 'ok' }) },
    {
      method: 'GET',
      pattern: '/v1/images',
      handle: async () =>
        catalogue.list().map(({ references, id, size, created, description }) => {
          return { references, id, size, created, description };
        }),
    },
    { method: 'POST', pattern: '/v1/images/reload', handle: async () => catalogue.reload() },
    {
      method: 'GET',
      pattern: sandboxes,
      handle: async () => Promise.all(manager.list().map(describeSandbox)),
    },
    {
      method: 'POST',
      pattern: sandboxes,
      handle: async ({ request }) => {
        const { name, hostname, limits, link, internet } = await readJson(request, CreateSandbox);
        const sandbox = await manager.create({
          name,
          ...(hostname === undefined ? {} : { hostname }),
          ...(limits === undefined ? {} : { limits }),
          ...(link === undefined ? {} : { link }),
          ...(internet === undefined ? {} : { internet }),
        });
        return describeSandbox(sandbox);
      },
    },
    { method: 'GET', pattern: one, handle: async (call) => describeSandbox(known(call)) },
    { method: 'DELETE', pattern: one, handle: async (call) => manager.delete(param(call, 'name')) },
    ...(['reset', 'freeze', 'thaw', 'start'] as const).map(
      (verb): Route => ({
        method: 'POST',
        pattern: `${one}/${verb}`,
        handle: async (call) => {
          await known(call)[verb]();
          return describeSandbox(known(call));
        },
      }),
    ),
    {
      method: 'POST',
      pattern: `${one}/run`,
      handle: async (call) => {
        const request = await readJson(call.request, RunRequest);
        return runProgram(await running(call), request);
      },
    },
    {
      method: 'GET',
      pattern: `${one}/file`,
      handle: async (call) => {
        const limit = queryNumber(call.query, 'limit', DEFAULT_READ, MAX_READ);
        return readFile(await running(call), queryText(call.query, 'path'), limit);
      },
    },
    {
      method: 'PUT',
      pattern: `${one}/file`,
      handle: async (call) => {
        const mode = queryNumber(call.query, 'mode', 0o644, 0o7777);
        const content = await readBody(call.request, MAX_WRITE);
        await writeFile(await running(call), queryText(call.query, 'path'), content, mode);
      },
    },
    {
      method: 'GET',
      pattern: `${one}/processes`,
      handle: async (call): Promise<ProcessInfo[]> => listProcesses(await running(call)),
    },
    {
      method: 'GET',
      pattern: `${one}/terminals`,
      handle: async (call) => listTerminals(await running(call)),
    },
    {
      method: 'POST',
      pattern: `${one}/terminals`,
      handle: async (call) => {
        const request = await readJson(call.request, CreateTerminal);
        return createTerminal(await running(call), request);
      },
    },
    {
      method: 'GET',
      pattern: `${one}/terminals/:id`,
      handle: async (call) => getTerminal(await running(call), param(call, 'id')),
    },
    {
      method: 'DELETE',
      pattern: `${one}/terminals/:id`,
      handle: async (call) => {
        const sandbox = await running(call);
        await deleteTerminal(sandbox, param(call, 'id'));
        activity.terminalClosed(sandbox.id, param(call, 'id'));
      },
    },
    {
      method: 'POST',
      pattern: `${one}/terminals/:id/resize`,
      handle: async (call) => {
        const size = await readJson(call.request, TerminalSize);
        await resizeTerminal(await running(call), param(call, 'id'), size);
      },
    },
    {
      method: 'GET',
      pattern: `${one}/activity`,
      handle: async (call, response) => {
        const sandbox = known(call);
        response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
        response.flushHeaders();
        const unsubscribe = activity.subscribe(sandbox.id, (event) => {
          response.write(`${JSON.stringify(event)}\n`);
          if (response.writableLength > MAX_UNREAD_ACTIVITY) response.destroy();
          else if (event.kind === 'sandbox' && event.state === 'deleted') response.end();
        });
        response.once('close', unsubscribe);
        return ANSWERED;
      },
    },
    {
      method: 'GET',
      pattern: `${one}/builds`,
      handle: async (call, response) => {
        serveBuilds(tenants.of(await running(call)), response);
        return ANSWERED;
      },
    },
    {
      method: '*',
      pattern: `${one}/docker/*`,
      handle: async (call, response) => {
        const tenant = tenants.of(await running(call));
        call.request.url = param(call, 'rest') + parseTarget(call.request).search;
        tenant.handle(call.request, response);
        return ANSWERED;
      },
    },
  ];
}

export function controlStreams({ manager, activity, log }: ControlParts): StreamRoute[] {
  const one = '/v1/sandboxes/:name';
  return [
    {
      pattern: `${one}/terminals/:id/attach`,
      open: async (call) => {
        const sandbox = await manager.use(param(call, 'name'));
        const id = param(call, 'id');
        getTerminal(sandbox, id);
        const replay = call.query.get('replay') === '1';
        const attachment = await sandbox.init.attach(terminalKey(id), { stdin: true, stdout: true, replay });
        return serveTerminal(attachment, { onOutput: () => activity.terminalOutput(sandbox.id, id), log });
      },
    },
    {
      pattern: `${one}/dial`,
      open: async (call) => {
        const sandbox = await manager.use(param(call, 'name'));
        const port = queryNumber(call.query, 'port', undefined, 65535);
        const address = parseInput(IpAddress, call.query.get('address') ?? '127.0.0.1');
        return serveDial(await sandbox.init.dial(address, port));
      },
    },
  ];
}

// GET /v1/sandboxes/:name/builds: every build of a sandbox from now on, a line for each thing that happens.

import type { ServerResponse } from 'node:http';
import type { Tenant } from './tenant.ts';

/** A watcher that has not read this much is cut off: a build may say a lot. */
const MAX_UNREAD = 8 * 2 ** 20;

/** Answers until the watcher goes, or the sandbox's daemon does. */
export function serveBuilds(tenant: Tenant, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  response.flushHeaders();
  const unsubscribe = tenant.builds.subscribe(
    (event) => {
      response.write(`${JSON.stringify(event)}\n`);
      if (response.writableLength > MAX_UNREAD) response.destroy();
    },
    () => response.end(),
  );
  response.once('close', unsubscribe);
}

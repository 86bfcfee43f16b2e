// The server's process: settings from the environment, start, and an orderly end on SIGTERM and SIGINT.

import { messageOf } from './errors.ts';
import { createLogger } from './log.ts';
import { startServer } from './server.ts';
import { parseSettings } from './settings.ts';

async function main(): Promise<void> {
  const settings = parseSettings(process.env);
  const log = createLogger(settings.logLevel);
  const server = await startServer(settings, log);
  log.info({ url: server.url }, 'listening');
  const stop = (signal: NodeJS.Signals) => {
    log.info({ signal }, 'stopping');
    server.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ reason: messageOf(error) }, 'did not stop in order');
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

main().catch((error: unknown) => {
  process.stderr.write(`berth server: ${messageOf(error)}\n`);
  process.exit(1);
});

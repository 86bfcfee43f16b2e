// `berth status`: what is running, and where.

import { ControlClient } from '../client/client.ts';
import { type Command, printTable, say, showBytes } from './command.ts';
import { readPidFile } from './pid-file.ts';
import { supervisorPidFile } from './run.ts';
import { serverUrl } from './settings.ts';

const SERVER_PATIENCE = 2000;

export const status: Command = {
  usage: 'status',
  summary: 'say what is running',
  details: 'Exits with 1 when engine or server does not answer.',
  async run(_args, settings) {
    const client = new ControlClient(settings.controlSocket);
    const supervisor = await readPidFile(supervisorPidFile(settings));
    const url = serverUrl(settings);
    const [sandboxes, isServing] = await Promise.all([
      client.sandboxes().catch(() => undefined),
      fetch(url, { signal: AbortSignal.timeout(SERVER_PATIENCE) }).then(
        (response) => response.ok,
        () => false,
      ),
    ]);
    client.close();
    const running = (sandboxes ?? []).filter((sandbox) => sandbox.state !== 'stopped');
    const memory = running.reduce((sum, sandbox) => sum + (sandbox.memoryUsage ?? 0), 0);
    printTable(
      ['PART', 'STATE', 'WHERE'],
      [
        ['supervisor', supervisor ? `running, pid ${supervisor.pid}` : 'not running', settings.runDir],
        ['engine', sandboxes ? 'answers' : 'does not answer', settings.controlSocket],
        ['server', isServing ? 'answers' : 'does not answer', url],
        [
          'lab hosts',
          sandboxes ? `${running.length} of ${sandboxes.length} running, ${showBytes(memory)}` : '?',
          settings.dataDir,
        ],
      ],
    );
    if (!sandboxes || !isServing) say('Start it with: berth up');
    return sandboxes && isServing ? 0 : 1;
  },
};

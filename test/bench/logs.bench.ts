// Time of writing and of `docker logs` of a million lines, beside a real dockerd where BERTH_PEER names its socket:
// npm run bench.

import path from 'node:path';
import { DockerCli, dockerCommand, runCommand } from '../support/docker.ts';
import { SETUP_DATA, TestEngine } from '../support/engine.ts';
import { inTurn, median, printTable, type Row } from './measure.ts';

const LINES = 1_000_000;
const RUNS = 5;
const NAME = 'bench-logs';

async function main(): Promise<void> {
  const engine = await TestEngine.start();
  const rows: Row[] = [];
  const peer = process.env.BERTH_PEER
    ? new DockerCli(dockerCommand(path.join(SETUP_DATA, 'host-image/root')), process.env.BERTH_PEER)
    : undefined;
  try {
    await engine.control.createSandbox({ name: 'bench' });
    const berth = await engine.docker('bench');
    await berth.ok('pull', 'busybox');
    const compare = async (what: string, aim: string, job: (docker: DockerCli) => Promise<unknown>) => {
      const times = await inTurn(RUNS, () => job(berth), peer && (() => job(peer)));
      const dockerd = peer ? { dockerd: median(times.b) } : {};
      rows.push({ what, unit: 'ms', berth: median(times.a), ...dockerd, aim });
    };
    await compare('a container writes a million lines', '< 1', async (docker) => {
      await docker.run(['rm', '-f', NAME]);
      const script = `yes 'a line of a log, of a usual length' | head -n ${LINES}`;
      await docker.ok('run', '-d', '--name', NAME, 'busybox', 'sh', '-c', script);
      await docker.ok('wait', NAME);
    });
    await compare('`docker logs` of a million lines', '< 1', async (docker) => {
      const { stdout, stderr } = await runCommand([
        ...['bash', '-c', '"$@" | wc -l', 'count'],
        ...docker.argv('logs', NAME),
      ]);
      if (stdout.trim() !== String(LINES)) throw new Error(`${stdout.trim()} lines: ${stderr}`);
    });
    await compare('… `--tail 10`', '–', (docker) => docker.ok('logs', '--tail', '10', NAME));
    for (const docker of [berth, peer]) await docker?.ok('rm', '-f', NAME);
  } finally {
    await engine.dispose();
  }
  printTable(rows);
}

await main();

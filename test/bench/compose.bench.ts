// Time of `docker compose up --wait` and `down` of a project with four services, beside a real dockerd where BERTH_PEER names
// its socket: npm run bench. The same compose on the host drives both.

import path from 'node:path';
import { type ComposeProject, hostProject } from '../support/compose.ts';
import { DockerCli, dockerCommand } from '../support/docker.ts';
import { SETUP_DATA, TestEngine } from '../support/engine.ts';
import { median, printTable, type Row } from './measure.ts';

const RUNS = Number(process.env.BERTH_BENCH_RUNS ?? 7);

const SERVICE = `
    image: busybox
    command: sleep 600
    init: true
    stop_grace_period: 0s`;
const PROJECT = `
services:
  db:${SERVICE}
    volumes: [data:/data]
  queue:${SERVICE}
  worker:${SERVICE}
    depends_on: [db, queue]
  web:${SERVICE}
    depends_on: [worker]
volumes: { data: }
`;

async function main(): Promise<void> {
  const engine = await TestEngine.start();
  const made: Awaited<ReturnType<typeof hostProject>>[] = [];
  const open = async (docker: DockerCli): Promise<ComposeProject> => {
    const project = await hostProject(docker.socket, 'bench-compose', { 'compose.yaml': PROJECT });
    made.push(project);
    return project;
  };
  const run =
    (project: ComposeProject, ...args: string[]) =>
    async () => {
      const { code, stderr } = await project.compose(args);
      if (code !== 0) throw new Error(`docker compose ${args.join(' ')}: ${stderr}`);
    };
  const rows: Row[] = [];
  try {
    await engine.control.createSandbox({ name: 'bench' });
    const docker = await engine.docker('bench');
    await docker.ok('pull', 'busybox');
    const berth = await open(docker);
    const command = dockerCommand(path.join(SETUP_DATA, 'host-image/root'));
    const peer = process.env.BERTH_PEER
      ? await open(new DockerCli(command, process.env.BERTH_PEER))
      : undefined;
    const projects = peer ? [berth, peer] : [berth];
    const measure = async (what: string, aim: string, ...args: string[]) => {
      const before = args[0] === 'up' ? ['down', '-v'] : ['up', '-d'];
      const times = { a: [] as number[], b: [] as number[] };
      for (let round = 0; round < RUNS; round++) {
        for (const project of projects) await run(project, ...before)();
        for (const [index, project] of projects.entries()) {
          const start = performance.now();
          await run(project, ...args)();
          times[index === 0 ? 'a' : 'b'].push(performance.now() - start);
        }
      }
      rows.push({
        what,
        unit: 'ms',
        berth: median(times.a),
        ...(peer ? { dockerd: median(times.b) } : {}),
        aim,
      });
    };
    // compose itself looks only every half a second whether it has waited enough
    await measure('`docker compose up --wait` of four services', '< 0.30', 'up', '-d', '--wait');
    await measure('… `up -d`', '< 0.30', 'up', '-d');
    await measure('… `down -v`', '< 0.30', 'down', '-v');
    await measure('… `version` (the client’s floor)', '–', 'version');
    for (const project of projects) await run(project, 'down', '-v')();
  } finally {
    for (const project of made) await project.dispose();
    await engine.dispose();
  }
  printTable(rows);
}

await main();

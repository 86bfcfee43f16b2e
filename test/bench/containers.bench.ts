// Copying 100 MiB in and out, and fifty containers started at once, beside dockerd.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { DockerCli, dockerCommand } from '../support/docker.ts';
import { SETUP_DATA, TestEngine } from '../support/engine.ts';
import { inTurn, median, printTable, type Row } from './measure.ts';

const RUNS = Number(process.env.BERTH_BENCH_RUNS ?? 5);
const FIFTY = 50;
const PREFIX = `bench-${randomBytes(3).toString('hex')}`;

async function main(): Promise<void> {
  const work = await mkdtemp(path.join(os.tmpdir(), 'berth-bench-'));
  const engine = await TestEngine.start({ BERTH_SANDBOX_CPUS: String(os.availableParallelism()) });
  const rows: Row[] = [];
  const sides: DockerCli[] = [];
  try {
    await engine.control.createSandbox({ name: 'bench', limits: { pids: 4096, memory: 4 * 2 ** 30 } });
    const berth = await engine.docker('bench');
    await berth.ok('pull', '-q', 'busybox');
    sides.push(berth);
    const socket = process.env.BERTH_PEER;
    const peer = socket && new DockerCli(dockerCommand(path.join(SETUP_DATA, 'host-image/root')), socket);
    if (peer) sides.push(peer);
    const file = path.join(work, 'file');
    await writeFile(file, randomBytes(100 * 2 ** 20));
    for (const docker of sides) await docker.ok('create', '--name', PREFIX, 'busybox', 'true');

    const compare = async (what: string, aim: string, job: (docker: DockerCli) => () => Promise<unknown>) => {
      const times = await inTurn(RUNS, job(berth), peer ? job(peer) : undefined);
      const dockerd = peer ? { dockerd: median(times.b) } : {};
      rows.push({ what, unit: 'ms', berth: median(times.a), ...dockerd, aim });
    };
    await compare(
      '`docker cp` of 100 MiB into a container',
      '≤ 1',
      (docker) => () => docker.ok('cp', '-q', file, `${PREFIX}:/file`),
    );
    await compare(
      '… out of it',
      '≤ 1',
      (docker) => () => docker.ok('cp', '-q', `${PREFIX}:/file`, path.join(work, 'out')),
    );
    const fifty = Array.from({ length: FIFTY }, (_, index) => `${PREFIX}-${index}`);
    for (const docker of sides) {
      for (const name of fifty) await docker.ok('create', '--name', name, 'busybox', 'sleep', '600');
    }
    const times = { berth: [] as number[], dockerd: [] as number[] };
    for (let round = 0; round < 3; round++) {
      for (const docker of sides) {
        const began = performance.now();
        await startAll(docker, fifty);
        times[docker === berth ? 'berth' : 'dockerd'].push(performance.now() - began);
        await killAll(docker, fifty);
      }
    }
    rows.push({
      what: '50 containers started at once',
      unit: 'ms',
      berth: median(times.berth),
      ...(peer ? { dockerd: median(times.dockerd) } : {}),
      aim: '< 0.30',
    });
  } finally {
    for (const docker of sides.slice(1)) {
      const { stdout } = await docker.run(['ps', '-aq', '--filter', `name=${PREFIX}`]);
      const ids = stdout.split('\n').filter(Boolean);
      if (ids.length > 0) await docker.run(['rm', '-f', ...ids]);
    }
    await engine.dispose();
    await rm(work, { recursive: true, force: true });
  }
  printTable(rows);
}

/** Asks for all of them at the same time, by the API, since fifty clients would measure themselves. */
async function startAll({ socket }: DockerCli, names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => post(socket, `/containers/${name}/start`)));
}

async function killAll({ socket }: DockerCli, names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => post(socket, `/containers/${name}/kill`)));
  await Promise.all(names.map((name) => post(socket, `/containers/${name}/wait`)));
}

function post(socketPath: string, target: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath, method: 'POST', path: target, agent: false }, (response) => {
      response.resume().once('end', () => {
        if ((response.statusCode ?? 500) < 300) resolve();
        else reject(new Error(`${target}: ${response.statusCode}`));
      });
    });
    request.once('error', reject).end();
  });
}

await main();

// Networks beside dockerd: making one, a published port until it answers, and throughput (with iperf3, where it is).

import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { DockerCli, dockerCommand } from '../support/docker.ts';
import { SETUP_DATA, TestEngine } from '../support/engine.ts';
import { importProgram } from '../support/program-image.ts';
import { inTurn, median, printTable, type Row } from './measure.ts';

const RUNS = Number(process.env.BERTH_BENCH_RUNS ?? 7);
const IPERF = '/usr/bin/iperf3';
const IPERF_PORT = 5201;
/** how long one round of iperf3 sends */
const SECONDS = 1;

/** The part of iperf3's report that is used; what it received is what arrived. */
const IperfReport = z.object({ end: z.object({ sum_received: z.object({ bits_per_second: z.number() }) }) });

/** A daemon, and names and ports that nobody else uses there. */
interface Side {
  docker: DockerCli;
  name: string;
  port: number;
}

/** `docker network create` and `rm` of a bridge. */
async function createAndRemove({ docker, name }: Side): Promise<void> {
  await docker.ok('network', 'create', `${name}-other`);
  await docker.ok('network', 'rm', `${name}-other`);
}

/**
 * `docker run -d -p`, and then asking until there is an answer. Who asks, by `docker exec`, is a container in the host's
 * own network, since a daemon under test may have a network namespace of its own. It does not ask before `docker run`
 * is back: dockerd's proxy takes connections earlier than the container can, and who asked then waits for a timeout.
 */
async function untilFirstAnswer({ docker, name, port }: Side): Promise<void> {
  const url = `http://127.0.0.1:${port}/etc/hosts`;
  const ask = `for i in $(seq 1000); do wget -q -O /dev/null -T 1 ${url} 2>/dev/null && exit; usleep 10000; done; exit 1`;
  await docker.ok(
    ...['run', '-d', '--name', `${name}-web`, '-p', `${port}:80`],
    ...['busybox', 'httpd', '-f', '-h', '/'],
  );
  await docker.ok('exec', `${name}-client`, 'sh', '-c', ask);
}

/** Gbit/s that arrive at iperf3 in the container `NAME-server`, sent by a container of `network` to `address`. */
async function throughput(side: Side, network: string, address: string, port: number): Promise<number> {
  const report = await side.docker.ok(
    ...['run', '--rm', '--network', network, `${side.name}-iperf`],
    ...['-c', address, '-p', String(port), '-t', String(SECONDS), '--json'],
  );
  return IperfReport.parse(JSON.parse(report)).end.sum_received.bits_per_second / 1e9;
}

/** Address of a daemon's host on the default bridge. */
function gateway({ docker }: Side): Promise<string> {
  return docker.ok('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Gateway}}', 'bridge');
}

async function measureTimes(berth: Side, peer: Side | undefined): Promise<Row[]> {
  const made = await inTurn(RUNS, () => createAndRemove(berth), peer && (() => createAndRemove(peer)));
  for (const { docker, name } of peer ? [berth, peer] : [berth]) {
    await docker.ok('run', '-d', '--name', `${name}-client`, '--network', 'host', 'busybox', 'sleep', '600');
  }
  const answered = { a: [] as number[], b: [] as number[] };
  for (let run = 0; run <= RUNS; run++) {
    for (const [times, side] of [
      [answered.a, berth],
      [answered.b, peer],
    ] as const) {
      if (!side) continue;
      const before = performance.now();
      await untilFirstAnswer(side);
      // The first pair warms caches and is not counted; removing is not timed.
      if (run > 0) times.push(performance.now() - before);
      await side.docker.ok('rm', '-f', `${side.name}-web`);
    }
  }
  const row = (what: string, times: { a: number[]; b: number[] }): Row => ({
    ...{ what, unit: 'ms', berth: median(times.a), aim: '< 1' },
    ...(peer ? { dockerd: median(times.b) } : {}),
  });
  return [
    row('`docker network create` and `rm`', made),
    row('`docker run -d -p`, then `docker exec` of a client until it has an answer', answered),
  ];
}

async function measureThroughput(sides: readonly Side[]): Promise<Row[]> {
  for (const { docker, name, port } of sides) {
    await importProgram(docker, { name: `${name}-iperf`, program: IPERF, cmd: ['-s'] });
    await docker.ok('network', 'create', `${name}-net`);
    await docker.ok(
      ...['run', '-d', '--name', `${name}-server`, '--network', `${name}-net`],
      ...['-p', `${port}:${IPERF_PORT}`, `${name}-iperf`],
    );
  }
  const ways: [what: string, send: (side: Side) => Promise<number>][] = [
    [
      'container to container',
      (side) => throughput(side, `${side.name}-net`, `${side.name}-server`, IPERF_PORT),
    ],
    ['through a published port of 127.0.0.1', (side) => throughput(side, 'host', '127.0.0.1', side.port)],
    [
      'through a published port of the host’s address',
      async (side) => throughput(side, 'host', await gateway(side), side.port),
    ],
  ];
  const rows: Row[] = [];
  for (const [what, send] of ways) {
    const figures = sides.map(() => [] as number[]);
    for (let run = 0; run <= RUNS; run++) {
      for (const [index, side] of sides.entries()) {
        const figure = await send(side);
        if (run > 0) figures[index]?.push(figure);
      }
    }
    const [berth = Number.NaN, dockerd] = figures.map(median);
    rows.push({ what, unit: 'Gbit/s', berth, ...(dockerd === undefined ? {} : { dockerd }), aim: '> 1' });
  }
  return rows;
}

async function cleanUp({ docker, name }: Side): Promise<void> {
  await docker.run(['rm', '-f', `${name}-client`, `${name}-web`, `${name}-server`]);
  await docker.run(['network', 'rm', `${name}-net`, `${name}-other`]);
  await docker.run(['rmi', `${name}-iperf`]);
}

async function main(): Promise<void> {
  const engine = await TestEngine.start({ BERTH_SANDBOX_CPUS: String(os.availableParallelism()) });
  const side = (docker: DockerCli): Side => {
    const port = 20_000 + randomInt(10_000);
    return { docker, name: `bench-net-${port}`, port };
  };
  const rows: Row[] = [];
  let peer: Side | undefined;
  try {
    await engine.control.createSandbox({ name: 'bench' });
    const berth = side(await engine.docker('bench'));
    await berth.docker.ok('pull', 'busybox');
    if (process.env.BERTH_PEER) {
      const command = dockerCommand(path.join(SETUP_DATA, 'host-image/root'));
      peer = side(new DockerCli(command, process.env.BERTH_PEER));
    }
    rows.push(...(await measureTimes(berth, peer)));
    if (existsSync(IPERF)) rows.push(...(await measureThroughput(peer ? [berth, peer] : [berth])));
    else console.log('no iperf3, so throughput is not measured; npm test installs it where it can be had');
  } finally {
    if (peer) await cleanUp(peer);
    await engine.dispose();
  }
  printTable(rows);
}

await main();

// How fast images are built, by buildx and by the classic way, beside a real dockerd in the same run when BERTH_PEER names its socket.

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { DockerCli, dockerCommand } from '../support/docker.ts';
import { SETUP_DATA, TestEngine } from '../support/engine.ts';
import { pluginConfig } from '../support/plugins.ts';
import { inTurn, median, printTable, type Row } from './measure.ts';

const RUNS = Number(process.env.BERTH_BENCH_RUNS ?? 9);
const MANY = 10_000;
const LARGE = 500 * 2 ** 20;
const TIMEOUT = 300_000;

interface Case {
  what: string;
  aim: string;
  runs: number;
  context: string;
  dockerfile(run: number): string;
  args: readonly string[];
  env?: Record<string, string>;
}

const FIVE_STEPS = (mark: string) =>
  `FROM busybox\nENV MARK=${mark}\nRUN echo one > /one\nRUN echo two > /two\nCOPY file /file\nRUN cat /one /two /file > /all\n`;

async function contexts(work: string): Promise<{ small: string; many: string; large: string }> {
  const [small, many, large] = ['small', 'many', 'large'].map((name) => path.join(work, name));
  if (!small || !many || !large) throw new Error('no contexts');
  for (const each of [small, many, large]) await mkdir(each);
  await writeFile(path.join(small, 'file'), 'file\n');
  for (let folder = 0; folder < 100; folder++) {
    await mkdir(path.join(many, `folder${folder}`));
    for (let file = 0; file < MANY / 100; file++) {
      await writeFile(path.join(many, `folder${folder}`, `file${file}`), `${folder} ${file}\n`.repeat(50));
    }
  }
  await writeFile(path.join(large, 'large'), randomBytes(LARGE / 4));
  for (const part of [1, 2, 3]) await writeFile(path.join(large, `large${part}`), randomBytes(LARGE / 4));
  return { small, many, large };
}

async function time(config: string, each: Case, berth: DockerCli, peer: DockerCli | undefined): Promise<Row> {
  const job = (docker: DockerCli, side: string) => {
    let run = 0;
    return async () => {
      const file = path.join(each.context, '..', `Dockerfile-${side}`);
      await writeFile(file, each.dockerfile(run++));
      const args = ['build', '-q', '-t', 'bench-build', '-f', file, ...each.args, each.context];
      const env = { DOCKER_CONFIG: config, ...each.env };
      const result = await docker.run(args, { env, timeout: TIMEOUT });
      if (result.code !== 0) throw new Error(`docker build: ${result.stderr}`);
    };
  };
  const times = await inTurn(each.runs, job(berth, 'berth'), peer && job(peer, 'peer'));
  const dockerd = peer ? { dockerd: median(times.b) } : {};
  return { what: each.what, unit: 'ms', berth: median(times.a), ...dockerd, aim: each.aim };
}

async function main(): Promise<void> {
  const work = await mkdtemp(path.join(os.tmpdir(), 'berth-bench-builds-'));
  const config = await pluginConfig();
  const engine = await TestEngine.start();
  const rows: Row[] = [];
  try {
    await engine.control.createSandbox({ name: 'bench', limits: { disk: 20 * 2 ** 30 } });
    const berth = await engine.docker('bench');
    await berth.ok('pull', 'busybox');
    const peer = process.env.BERTH_PEER
      ? new DockerCli(dockerCommand(path.join(SETUP_DATA, 'host-image/root')), process.env.BERTH_PEER)
      : undefined;
    const { small, many, large } = await contexts(work);
    const copy = () => 'FROM busybox\nCOPY . /copied/\n';
    const cases: Case[] = [
      {
        what: 'five-step `docker build`, nothing cached',
        aim: '< 0.40',
        runs: RUNS,
        context: small,
        dockerfile: () => FIVE_STEPS(randomBytes(4).toString('hex')),
        args: [],
      },
      {
        what: '… all cached',
        aim: '< 1',
        runs: RUNS,
        context: small,
        dockerfile: () => FIVE_STEPS('same'),
        args: [],
      },
      {
        what: '… nothing cached, without buildx',
        aim: '< 0.40',
        runs: RUNS,
        context: small,
        dockerfile: () => FIVE_STEPS(randomBytes(4).toString('hex')),
        args: [],
        env: { DOCKER_BUILDKIT: '0' },
      },
      {
        what: '… all cached, without buildx',
        aim: '–',
        runs: RUNS,
        context: small,
        dockerfile: () => FIVE_STEPS('same'),
        args: [],
        env: { DOCKER_BUILDKIT: '0' },
      },
      {
        what: '`COPY` of 10,000 files',
        aim: '< 1',
        runs: 3,
        context: many,
        dockerfile: copy,
        args: ['--no-cache'],
      },
      {
        what: '`COPY` of 500 MiB',
        aim: '< 1',
        runs: 3,
        context: large,
        dockerfile: copy,
        args: ['--no-cache'],
      },
    ];
    const wanted = process.env.BERTH_BENCH_ONLY?.split(',');
    for (const each of cases) {
      if (wanted?.every((text) => !each.what.includes(text))) continue;
      rows.push(await time(config, each, berth, peer));
    }
    await peer?.run(['rmi', '-f', 'bench-build']);
  } finally {
    await engine.dispose();
    await rm(work, { recursive: true, force: true });
    await rm(config, { recursive: true, force: true });
  }
  printTable(rows);
}

await main();

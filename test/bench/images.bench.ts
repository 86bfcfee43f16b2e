// Images of 100 MiB beside dockerd: push to, and pull from, a registry in a container, and load from a file.

import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { DockerCli, dockerCommand, runCommand } from '../support/docker.ts';
import { SETUP_DATA, TestEngine } from '../support/engine.ts';
import { importRegistry, untilAnswering } from '../support/registry.ts';
import { inTurn, median, printTable, type Row } from './measure.ts';

const RUNS = Number(process.env.BERTH_BENCH_RUNS ?? 7);
const MIB = 2 ** 20;

interface Side {
  docker: DockerCli;
  registry: string;
  container: string;
  image: string;
  archive: string;
  /** names of images that were not pushed yet */
  fresh: string[];
}

/** Four layers' worth of half random, half repeating bytes, so that compression has something to do. */
async function makeArchive(work: string): Promise<string> {
  const root = path.join(work, 'root');
  await runCommand(['mkdir', root]);
  for (let i = 0; i < 10; i++) {
    const block = Buffer.concat([randomBytes(5 * MIB), Buffer.alloc(5 * MIB, 'the quick brown fox ')]);
    await writeFile(path.join(root, `file-${i}`), block);
  }
  const file = path.join(work, 'root.tar');
  await runCommand(['tar', '-C', root, '-cf', file, '.']);
  return file;
}

async function prepare(docker: DockerCli, work: string, name: string, archive: string): Promise<Side> {
  const port = 20_000 + randomInt(20_000);
  const registry = `localhost:${port}`;
  await importRegistry(docker, `bench-registry-${port}`);
  const container = await docker.ok('run', '-d', '-p', `${port}:5000`, `bench-registry-${port}`);
  await untilAnswering(docker, registry);
  const image = `${registry}/big:v1`;
  await docker.ok('import', '-c', 'CMD ["x"]', archive, image);
  const saved = path.join(work, `${name}.tar`);
  await docker.ok('save', '-o', saved, image);
  return { docker, registry, container, image, archive: saved, fresh: [] };
}

/** Images that the registry has nothing of: one for each run. */
async function freshImages(side: Side, work: string, archive: string): Promise<string[]> {
  const names: string[] = [];
  for (let i = 0; i <= RUNS; i++) {
    const salt = path.join(work, 'salt');
    await writeFile(salt, randomBytes(16));
    const fresh = path.join(work, 'fresh.tar');
    const script = 'cp "$0" "$1" && tar -C "$2" -rf "$1" salt';
    const packed = await runCommand(['sh', '-c', script, archive, fresh, work]);
    if (packed.code !== 0) throw new Error(packed.stderr);
    const name = `${side.registry}/fresh-${i}:v1`;
    await side.docker.ok('import', fresh, name);
    names.push(name);
  }
  return names;
}

async function main(): Promise<void> {
  const work = await mkdtemp(path.join(os.tmpdir(), 'berth-bench-'));
  const engine = await TestEngine.start({ BERTH_SANDBOX_CPUS: String(os.availableParallelism()) });
  const sides: Side[] = [];
  const rows: Row[] = [];
  try {
    await engine.control.createSandbox({ name: 'bench' });
    const archive = await makeArchive(work);
    const berth = await prepare(await engine.docker('bench'), work, 'berth', archive);
    sides.push(berth);
    const peer = process.env.BERTH_PEER
      ? await prepare(
          new DockerCli(dockerCommand(path.join(SETUP_DATA, 'host-image/root')), process.env.BERTH_PEER),
          work,
          'peer',
          archive,
        )
      : undefined;
    if (peer) sides.push(peer);
    const compare = async (what: string, job: (side: Side) => () => Promise<void>) => {
      const times = await inTurn(RUNS, job(berth), peer && job(peer));
      const dockerd = peer ? { dockerd: median(times.b) } : {};
      rows.push({ what, unit: 'ms', berth: median(times.a), ...dockerd, aim: '≤ 1' });
    };
    for (const side of sides) await side.docker.ok('push', '-q', side.image);
    await compare('`docker pull` of 100 MiB', (side) => async () => {
      await side.docker.ok('rmi', side.image);
      await side.docker.ok('pull', '-q', side.image);
    });
    await compare('`docker load` of 100 MiB', (side) => async () => {
      await side.docker.ok('rmi', side.image);
      await side.docker.ok('load', '-q', '-i', side.archive);
    });
    for (const side of sides) side.fresh.push(...(await freshImages(side, work, archive)));
    await compare('`docker push` of 100 MiB', (side) => {
      let next = 0;
      return async () => {
        await side.docker.ok('push', '-q', side.fresh[next++] ?? '');
      };
    });
  } finally {
    for (const { docker, container, image, fresh } of sides.slice(1)) {
      await docker.run(['rm', '-f', container]);
      await docker.run(['rmi', image, ...fresh]);
    }
    await engine.dispose();
    await rm(work, { recursive: true, force: true });
  }
  printTable(rows);
}

await main();

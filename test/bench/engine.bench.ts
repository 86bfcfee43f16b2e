// How fast and how small the engine is, beside a real dockerd in the same run when BERTH_PEER names its socket
// (a fresh dockerd 26 or later; an image `busybox` is imported into it from Berth's own).

import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openCatalogue } from '../../engine/image/catalogue.ts';
import { imagesDir } from '../../engine/image/layer.ts';
import { DockerCli, dockerCommand, runCommand } from '../support/docker.ts';
import { SETUP_DATA, TestEngine } from '../support/engine.ts';
import { inTurn, median, pidsByName, printTable, pss, type Row } from './measure.ts';

const RUNS = Number(process.env.BERTH_BENCH_RUNS ?? 15);
const MIB = 2 ** 20;

async function importBusybox(docker: DockerCli): Promise<void> {
  const catalogue = await openCatalogue(SETUP_DATA);
  const layer = catalogue.resolve('busybox')?.layers[0];
  if (!layer) throw new Error('the catalogue has no busybox; run berth setup');
  const dir = path.join(imagesDir(SETUP_DATA), 'layers', layer.dirName);
  const script = `tar -C "$1" -c . | "\${@:2}" import -c 'CMD ["sh"]' - busybox:latest`;
  const result = await runCommand(['bash', '-c', script, 'import', dir, ...docker.argv()]);
  if (result.code !== 0) throw new Error(`docker import: ${result.stderr}`);
}

async function pairOfTimes(
  what: string,
  aim: string,
  berth: DockerCli,
  peer: DockerCli | undefined,
  args: readonly string[],
): Promise<Row> {
  const job = (docker: DockerCli) => async () => {
    const result = await docker.run(args);
    if (result.code !== 0) throw new Error(`docker ${args.join(' ')}: ${result.stderr}`);
  };
  const times = await inTurn(RUNS, job(berth), peer && job(peer));
  return { what, unit: 'ms', berth: median(times.a), ...(peer ? { dockerd: median(times.b) } : {}), aim };
}

/** Milliseconds from asking for a sandbox to the first byte of its shell's prompt. */
async function sandboxToPrompt(engine: TestEngine, name: string): Promise<void> {
  await engine.control.createSandbox({ name });
  await engine.control.createTerminal(name, { id: 't', rows: 24, cols: 80 });
  const terminal = await engine.control.openTerminal(name, 't', { replay: true });
  await once(terminal, 'data');
  terminal.destroy();
}

async function pidsOf(engine: TestEngine, sandbox: string): Promise<number[]> {
  const { pid } = await engine.control.sandbox(sandbox);
  return [pid];
}

async function main(): Promise<void> {
  const engine = await TestEngine.start({ BERTH_SANDBOX_MAX: '500' });
  const rows: Row[] = [];
  try {
    await engine.control.createSandbox({ name: 'bench' });
    const berth = await engine.docker('bench');
    await berth.ok('pull', 'busybox');
    const peer = process.env.BERTH_PEER
      ? new DockerCli(dockerCommand(path.join(SETUP_DATA, 'host-image/root')), process.env.BERTH_PEER)
      : undefined;
    if (peer) await importBusybox(peer);

    rows.push(await pairOfTimes('`docker version` (the client’s floor)', '–', berth, peer, ['version']));
    rows.push(
      await pairOfTimes('`docker run --rm busybox true`', '< 0.20', berth, peer, [
        'run',
        '--rm',
        'busybox',
        'true',
      ]),
    );
    rows.push(
      await pairOfTimes('… `--network none`', '< 0.20', berth, peer, [
        'run',
        '--rm',
        '--network',
        'none',
        'busybox',
        'true',
      ]),
    );
    for (const docker of [berth, peer])
      await docker?.ok('run', '-d', '--name', 'bench-exec', 'busybox', 'sleep', '3600');
    rows.push(
      await pairOfTimes('`docker exec c true`', '< 0.50', berth, peer, ['exec', 'bench-exec', 'true']),
    );

    let n = 0;
    const created = await inTurn(RUNS, () => sandboxToPrompt(engine, `prompt-${n++}`));
    rows.push({ what: 'new sandbox to its prompt', unit: 'ms', berth: median(created.a), aim: '< 500 ms' });

    const idle: number[] = [];
    const enginePssBefore = await pss([engine.pid]);
    for (let i = 0; i < 10; i++) await engine.control.createSandbox({ name: `idle-${i}` });
    await sleep(2000);
    for (let i = 0; i < 10; i++) idle.push(await pss(await pidsOf(engine, `idle-${i}`)));
    const engineShare = Math.max(0, (await pss([engine.pid])) - enginePssBefore) / 10;
    rows.push({
      what: 'idle sandbox: its own processes (PSS)',
      unit: 'MiB',
      berth: median(idle) / MIB,
      aim: '< 8 MiB',
    });
    rows.push({
      what: 'idle sandbox: the engine’s share',
      unit: 'MiB',
      berth: engineShare / MIB,
      aim: '< 8 MiB',
    });

    const daemons = peer ? await pss(await pidsByName('dockerd', 'containerd')) : undefined;
    rows.push({
      what: 'daemons (engine; dockerd + containerd), PSS',
      unit: 'MiB',
      berth: (await pss([engine.pid])) / MIB,
      ...(daemons === undefined ? {} : { dockerd: daemons / MIB }),
      aim: '–',
    });

    const COUNT = 20;
    const ours = async () => (await pss([engine.pid])) + (await pss(await pidsOf(engine, 'bench')));
    const oursBefore = await ours();
    const shimsBefore = await pss(await pidsByName('containerd-shim'));
    for (const docker of [berth, peer]) {
      for (let i = 0; i < COUNT; i++)
        await docker?.ok('run', '-d', '--name', `bench-idle-${i}`, 'busybox', 'sleep', '3600');
    }
    await sleep(1000);
    const shims = (await pss(await pidsByName('containerd-shim'))) - shimsBefore;
    rows.push({
      what: 'idle container: Berth’s processes; containerd-shim (PSS)',
      unit: 'MiB',
      berth: Math.max(0, (await ours()) - oursBefore) / COUNT / MIB,
      ...(peer ? { dockerd: shims / COUNT / MIB } : {}),
      aim: '< 1 MiB',
    });

    if (peer) {
      const ids = await peer.ok('ps', '-aq', '--filter', 'name=bench-');
      if (ids) await peer.ok('rm', '-f', ...ids.split('\n'));
    }
  } finally {
    await engine.dispose();
  }
  printTable(rows);
}

await main();

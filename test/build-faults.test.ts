// Builds when things go wrong: kill -9 of the engine at any moment, clients that leave, a full disk, many at once, links that point outside.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CommandResult, DockerCli } from './support/docker.ts';
import { engineMissing, TestEngine } from './support/engine.ts';
import { pluginConfig } from './support/plugins.ts';

const LAB = 'buildfaults';
const LARGE = 8 * 2 ** 20;

describe.skipIf(engineMissing)(`builds under faults${engineMissing ? ` (${engineMissing})` : ''}`, () => {
  let engine: TestEngine;
  let docker: DockerCli;
  let config: string;
  let work: string;

  beforeAll(async () => {
    engine = await TestEngine.start();
    await engine.control.createSandbox({ name: LAB, limits: { disk: 400 * 2 ** 20 } });
    docker = await engine.docker(LAB);
    config = await pluginConfig();
    work = await mkdtemp(path.join(os.tmpdir(), 'berth-build-faults-'));
    await docker.ok('pull', 'busybox');
    await mkdir(path.join(work, 'many'));
    for (let n = 0; n < 500; n++) await writeFile(path.join(work, 'many', `f${n}`), `${n}\n`);
    await writeFile(path.join(work, 'large'), Buffer.alloc(LARGE, 'x'));
  });
  afterAll(async () => {
    await engine.dispose();
    await rm(work, { recursive: true, force: true });
    await rm(config, { recursive: true, force: true });
  });

  async function crash(): Promise<void> {
    await engine.end('SIGKILL');
    await engine.up();
  }
  async function inLab(script: string): Promise<string> {
    const result = await engine.control.run(LAB, { argv: ['sh', '-c', script] });
    return result.stdout.trim();
  }
  const environment = () => ({ DOCKER_CONFIG: config, HOME: work });
  const build = (dockerfile: string, ...args: string[]): Promise<CommandResult> =>
    docker.run(['build', '--progress=plain', '-f', '-', ...args, work], {
      stdin: dockerfile,
      env: environment(),
    });
  function start(dockerfile: string): ChildProcess {
    const [file = '', ...args] = docker.argv('build', '-f', '-', work);
    const env = { ...process.env, ...environment() };
    const child = spawn(file, args, { env, stdio: ['pipe', 'ignore', 'ignore'] });
    child.stdin?.end(dockerfile);
    return child;
  }
  /** Programs of steps, their mounts, their bundles and their network namespaces. */
  async function leftovers(): Promise<string> {
    return inLab(`
      ps -eo args | grep -c '^sleep 98765'
      grep -c /build/ /proc/self/mounts
      find /run -path '*bundles/*' -maxdepth 4 2>/dev/null | wc -l
      find /sys/fs/cgroup -maxdepth 4 -name '*[0-9a-f]*' -type d 2>/dev/null | grep -cE '/[0-9a-f]{64}$'
      ls /var/lib/docker/staging 2>/dev/null | wc -l`);
  }
  const NOTHING = '0\n0\n0\n0\n0';
  async function removeAll(): Promise<void> {
    const images = (await docker.ok('images', '-q', '--filter', 'reference=built*'))
      .split('\n')
      .filter(Boolean);
    if (images.length > 0) await docker.ok('rmi', '-f', ...new Set(images));
    await docker.ok('image', 'prune', '-f');
    expect((await docker.run(['builder', 'prune', '-af'], { env: environment() })).code).toBe(0);
  }
  const layers = () =>
    inLab('ls /var/lib/docker/overlay2 /var/lib/docker/buildkit | grep -E "^([0-9a-f]{12}|[0-9a-f]{26})$"');

  it('takes away what a step was doing when the engine is killed', { timeout: 60_000 }, async () => {
    const child = start('FROM busybox\nRUN echo half > /half; exec sleep 98765\n');
    await expect.poll(() => inLab('ps -eo args | grep -c "^sleep 98765"'), { timeout: 10_000 }).toBe('1');
    await crash();
    child.kill('SIGKILL');
    expect(await leftovers()).toBe(NOTHING);
    expect(await build('FROM busybox\nRUN echo whole > /whole\n')).toMatchObject({ code: 0 });
  });

  it('keeps every image that was acknowledged, whole, and nothing else', { timeout: 120_000 }, async () => {
    await removeAll();
    const acknowledged: string[] = [];
    for (let round = 0; round < 6; round++) {
      const jobs = [0, 1].map(async (job) => {
        for (let n = 0; n < 10; n++) {
          const name = `built:${round}-${job}-${n}`;
          const dockerfile = `FROM busybox\nRUN echo ${name} > /name\nCOPY many /many/\nCOPY large /\nRUN ls /many | wc -l > /count\n`;
          const result = await build(dockerfile, '-t', name);
          if (result.code !== 0) return;
          acknowledged.push(name);
        }
      });
      await sleep(1500 + round * 317);
      await crash();
      await Promise.all(jobs);
    }
    expect(acknowledged.length).toBeGreaterThan(2);
    expect(await leftovers()).toBe(NOTHING);
    for (const name of acknowledged) {
      const args = ['run', '--rm', '--network', 'none', name, 'sh', '-c'];
      const shown = await docker.ok(...args, 'cat /name /count; wc -c < /large');
      expect(shown).toBe(`${name}\n500\n${LARGE}`);
    }
    const size = await docker.ok('images', '-q', '--filter', 'dangling=true');
    expect(size).toBe('');
    await removeAll();
    expect(await layers()).toBe('');
  });

  it('ends a step whose client has left', { timeout: 30_000 }, async () => {
    const child = start('FROM busybox\nRUN echo > /left; exec sleep 98765\n');
    await expect.poll(() => inLab('ps -eo args | grep -c "^sleep 98765"'), { timeout: 10_000 }).toBe('1');
    child.kill('SIGKILL');
    await expect.poll(leftovers, { timeout: 10_000 }).toBe(NOTHING);
    await removeAll();
    expect(await layers()).toBe('');
  });

  it('builds many at once', { timeout: 60_000 }, async () => {
    const names = Array.from({ length: 6 }, (_, n) => `built:many${n}`);
    const built = await Promise.all(
      names.map((name, n) =>
        build(
          `FROM busybox AS shared\nRUN echo shared > /shared; sleep 0.3\nFROM busybox\nCOPY --from=shared /shared /\nCOPY many /many/\nRUN echo ${n % 3} > /own\nRUN cat /shared /own > /all\n`,
          '-t',
          name,
        ),
      ),
    );
    expect(built.filter(({ code }) => code !== 0)).toEqual([]);
    for (const [n, name] of names.entries()) {
      expect(await docker.ok('run', '--rm', '--network', 'none', name, 'cat', '/all')).toBe(
        `shared\n${n % 3}`,
      );
    }
  });

  it('never follows a link out of the context, a stage or the image', { timeout: 60_000 }, async () => {
    await inLab('echo "the secret of the lab host" > /root/secret; mkdir -p /root/target');
    await symlink('/root', path.join(work, 'outside'));
    await symlink('../../../../../root/secret', path.join(work, 'dots'));
    const through = await build('FROM busybox\nCOPY outside/secret /secret\n');
    expect(through.code).toBe(1);
    expect(through.stderr).toMatch(/not found/);
    const dots = await build('FROM busybox\nCOPY dots /secret\n');
    expect(dots.code === 0 ? 'copied as a link' : dots.stderr).toMatch(/not found|copied as a link/);
    const stage = await build(
      'FROM busybox AS evil\nRUN ln -s /root /up && ln -s /proc/1/root/root/secret /proc-secret\nFROM busybox\nCOPY --from=evil /up/secret /s\n',
    );
    expect(stage.code).toBe(1);
    const proc = await build(
      'FROM busybox AS evil\nRUN ln -s /proc/1/root/root/secret /p\nFROM busybox\nCOPY --from=evil /p/ /s/\n',
    );
    expect(proc.code).toBe(1);
    const target = await build(
      'FROM busybox\nRUN ln -s /root/target /t && ln -s ../../../../root/target /u && ln -s /no/file /v && rm -rf /root && ln -s / /root\nCOPY many/f1 /t/\nCOPY many/f2 /u/\nCOPY many/f2 /v\nRUN cat /target/f1 /target/f2; cmp /no/file /u/f2\n',
    );
    expect(target.stderr).toMatch(/ 1\n#\d+ [\d.]+ 2\n/);
    expect(target).toMatchObject({ code: 0 });
    expect(await inLab('ls /root/target; ls /root')).toBe('secret\ntarget');
  });

  it('tells that the disk is full, and gives it back', { timeout: 60_000 }, async () => {
    await removeAll();
    const free = async () =>
      Number((await inLab('df -Pk /var/lib/docker | tail -1')).split(/\s+/)[3] ?? 'NaN') / 1024;
    const before = await free();
    const full = await build('FROM busybox\nRUN dd if=/dev/zero of=/full bs=1M count=1000\n');
    expect(full.code).toBe(1);
    expect(full.stderr).toContain('No space left on device');
    expect(await free()).toBeGreaterThan(before - 10);
    const copies = Array.from({ length: 60 }, (_, n) => `COPY large /large${n}`).join('\n');
    const copied = await build(`FROM busybox\n${copies}\n`);
    expect(copied.code).toBe(1);
    expect(copied.stderr).toMatch(/no space left on device/i);
    await removeAll();
    expect(await free()).toBeGreaterThan(before - 60);
    expect(await build('FROM busybox\nRUN echo again > /again\n')).toMatchObject({ code: 0 });
  });
});

// Archives that would fill the disk, and clients that go away in the middle: nothing stays, and the sandbox works on.

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerCli, runCommand } from './support/docker.ts';
import { engineMissing, TestEngine } from './support/engine.ts';

describe.skipIf(engineMissing)(`hostile archives${engineMissing ? ` (${engineMissing})` : ''}`, () => {
  let engine: TestEngine;
  let docker: DockerCli;
  let work: string;
  beforeAll(async () => {
    work = await mkdtemp(path.join(os.tmpdir(), 'berth-hostile-'));
    engine = await TestEngine.start({ BERTH_SANDBOX_DISK: '256m' });
    await engine.control.createSandbox({ name: 'hostile' });
    docker = await engine.docker('hostile');
    await docker.ok('pull', 'busybox');
  });
  afterAll(async () => {
    await engine.dispose();
    await rm(work, { recursive: true, force: true });
  });

  const left = async () => {
    const { stdout } = await engine.control.run('hostile', {
      argv: ['sh', '-c', 'cd /var/lib/docker; ls staging; ls overlay2 | grep -cx "[0-9a-f]\\{26\\}"'],
    });
    return stdout.trim();
  };

  it('ends a decompression bomb at the sandbox’s disk, in bounded memory', async () => {
    const script = 'truncate -s 512M zeros && tar -cf - zeros | gzip -1 > bomb.tgz';
    expect((await runCommand(['sh', '-c', `cd ${work} && ${script}`])).code).toBe(0);
    const result = await docker.run(['import', path.join(work, 'bomb.tgz')]);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('No space left on device');
    expect(await left()).toBe('0');
    const memory = await runCommand(['grep', 'VmHWM', `/proc/${engine.pid}/status`]);
    expect(Number(/\d+/.exec(memory.stdout)?.[0])).toBeLessThan(300_000);
    expect(await docker.ok('run', '--rm', 'busybox', 'echo', 'fine')).toBe('fine');
  }, 60_000);

  it('takes back what a client left in the middle', async () => {
    const client = docker
      .argv('import', '-')
      .map((word) => `'${word}'`)
      .join(' ');
    const tar = `tar -C ${work} -cf - zeros | head -c 20000000; sleep 3`;
    const result = await runCommand(['sh', '-c', `(${tar}) | timeout 1 ${client}`]);
    expect(result.code).toBe(124);
    for (let i = 0; i < 50 && (await left()) !== '0'; i++) await new Promise((done) => setTimeout(done, 100));
    expect(await left()).toBe('0');
    expect(await docker.ok('images', '-q')).toHaveLength(12);
  }, 30_000);
});

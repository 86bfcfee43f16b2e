// docker save and load by the real CLI: from Berth to a real dockerd and back, OCI layouts, and archives that are wrong.

import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerCli, runCommand } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const unique = (prefix: string) => `${prefix}-${randomBytes(4).toString('hex')}`;
const [berth, peer] = dockerTargets('save');
/** with something of its own, so that no two images share a layer by chance */
const script = () =>
  `echo ${randomBytes(8).toString('hex')} > /unique; echo new > /new; mkdir /d; ln /new /d/hard; ln -s ../new /d/soft; rm /etc/group`;

describe.skipIf(engineMissing)(`docker save and load${engineMissing ? ` (${engineMissing})` : ''}`, () => {
  let docker: DockerCli;
  let work: string;
  beforeAll(async () => {
    work = await mkdtemp(path.join(os.tmpdir(), 'berth-save-'));
    if (berth) docker = await berth.open();
  });
  afterAll(async () => {
    await berth?.close();
    await rm(work, { recursive: true, force: true });
  });

  async function made(cli: DockerCli): Promise<{ image: string; id: string }> {
    const image = `${unique('made')}:v1`;
    const container = await cli.ok('run', '-d', 'busybox', 'sh', '-c', script());
    await cli.ok('wait', container);
    const id = await cli.ok('commit', '-c', 'CMD ["cat", "/d/soft"]', container, image);
    await cli.ok('rm', container);
    return { image, id };
  }
  const idOf = (cli: DockerCli, image: string) => cli.ok('inspect', '-f', '{{.Id}}', image);
  const shell = async (script: string) => {
    const result = await runCommand(['sh', '-ec', script]);
    if (result.code !== 0) throw new Error(result.stderr);
  };

  it('gives back the same image, plain, compressed, or by standard input', async () => {
    const { image, id } = await made(docker);
    const file = path.join(work, 'one.tar');
    await docker.ok('save', '-o', file, image);
    await shell(`gzip -k ${file}`);
    for (const name of [file, `${file}.gz`]) {
      await docker.ok('rmi', image);
      expect(await docker.ok('load', '-i', name)).toBe(`Loaded image: ${image}`);
      expect(await idOf(docker, image)).toBe(id);
      expect(await docker.ok('run', '--rm', image)).toBe('new');
    }
    const again = await docker.run(['load'], { stdin: await readFile(file) });
    expect(again).toMatchObject({ code: 0, stdout: `Loaded image: ${image}\n` });
    await docker.ok('rmi', image);
  });

  it('saves several images, all tags of a repository, and one by id without tags', async () => {
    const one = await made(docker);
    const two = await made(docker);
    const repository = one.image.split(':')[0] ?? '';
    await docker.ok('tag', one.image, `${repository}:v2`);
    const file = path.join(work, 'several.tar');
    await docker.ok('save', '-o', file, repository, two.id);
    await docker.ok('rmi', one.image, `${repository}:v2`, two.image);
    const loaded = await docker.ok('load', '-i', file);
    expect(loaded.split('\n').sort()).toEqual(
      [`Loaded image ID: ${two.id}`, `Loaded image: ${one.image}`, `Loaded image: ${repository}:v2`].sort(),
    );
    await docker.ok('rmi', one.image, `${repository}:v2`, two.id);
    expect((await docker.run(['save', 'nosuch'])).stderr).toContain('No such image: nosuch:latest');
  });

  it('loads an OCI layout without manifest.json', async () => {
    const { image, id } = await made(docker);
    const file = path.join(work, 'oci.tar');
    await docker.ok('save', '-o', file, image);
    await docker.ok('rmi', image);
    const layout = path.join(work, 'layout');
    await shell(
      `mkdir ${layout}; tar -C ${layout} -xf ${file}; rm ${layout}/manifest.json; tar -C ${layout} -cf ${file} .`,
    );
    expect(await docker.ok('load', '-i', file)).toBe(`Loaded image: ${image}`);
    expect(await idOf(docker, image)).toBe(id);
    await docker.ok('rmi', image);
  });

  it('tells a terminal of each layer as it is loaded, and lists images by age', async () => {
    const { image } = await made(docker);
    const file = path.join(work, 'told.tar');
    await docker.ok('save', '-o', file, image);
    await docker.ok('rmi', image);
    const shown = await docker.tty(['load', '-i', file]);
    expect(shown.stdout).toMatch(/[0-9a-f]{12}: Loading layer/);
    expect(shown.stdout).toContain(`Loaded image: ${image}`);
    const ids = (...filters: string[]) => docker.ok('images', '-q', ...filters, image);
    expect(await ids('--filter', 'until=1h')).toBe('');
    expect(await ids('--filter', 'until=0s')).toHaveLength(12);
    await docker.ok('image', 'prune', '-af', '--filter', 'until=1h');
    expect(await ids()).toHaveLength(12);
    await docker.ok('rmi', image);
  });

  it('refuses what is not an archive, is cut off, or is not what its configuration says', async () => {
    const { image } = await made(docker);
    const file = path.join(work, 'wrong.tar');
    await docker.ok('save', '-o', file, image);
    await docker.ok('rmi', image);
    const whole = await readFile(file);
    await writeFile(file, whole.subarray(0, (await stat(file)).size - 6000));
    const cut = await docker.run(['load', '-i', file]);
    expect(cut.code).toBe(1);
    expect(cut.stderr).toContain('Error response from daemon');
    const noise = path.join(work, 'noise.tar');
    await writeFile(noise, randomBytes(20 * 2 ** 20));
    expect((await docker.run(['load', '-i', noise])).code).toBe(1);
    const changed = Buffer.from(whole);
    const at = changed.indexOf('new\n');
    changed.write('NEW\n', at);
    await writeFile(file, changed);
    const wrong = await docker.run(['load', '-i', file]);
    expect(wrong.stderr).toContain('invalid diffID for layer 1');
    expect((await docker.run(['image', 'inspect', image])).code).toBe(1);
    const left = await berth?.engine().control.run('save', {
      argv: [
        'sh',
        '-c',
        'cd /var/lib/docker; ls staging image/splits; ls overlay2 | grep -cx "[0-9a-f]\\{26\\}"',
      ],
    });
    expect(left?.stdout.trim()).toMatch(/^(image\/splits:\s*)?(staging:\s*)?0$/);
  });

  it.skipIf(!peer)('goes to a real dockerd and comes back the same', async () => {
    const there = await peer?.open();
    if (!there) return;
    const { image, id } = await made(docker);
    const file = path.join(work, 'there.tar');
    await docker.ok('save', '-o', file, image);
    expect(await there.ok('load', '-i', file)).toBe(`Loaded image: ${image}`);
    expect(await idOf(there, image)).toBe(id);
    expect(await there.ok('run', '--rm', image)).toBe('new');
    await there.ok('rmi', image);
    const theirs = await made(there);
    await there.ok('save', '-o', `${file}.2`, theirs.image);
    expect(await docker.ok('load', '-i', `${file}.2`)).toBe(`Loaded image: ${theirs.image}`);
    expect(await idOf(docker, theirs.image)).toBe(theirs.id);
    expect(await docker.ok('run', '--rm', theirs.image)).toBe('new');
    expect((await docker.run(['run', '--rm', theirs.image, 'ls', '/etc/group'])).code).toBe(1);
    await docker.ok('rmi', image, theirs.image);
    await there.ok('rmi', theirs.image);
  });

  it('leaves nothing half done when the engine is killed while it loads, whenever that is', async () => {
    const engine = berth?.engine();
    if (!engine) return;
    const image = `${unique('big')}:v1`;
    const container = await docker.ok(
      ...['run', '-d', 'busybox', 'sh', '-c'],
      'for i in 1 2 3 4; do head -c 20000000 /dev/urandom > /big$i; done',
    );
    await docker.ok('wait', container);
    const id = await docker.ok('commit', container, image);
    const file = path.join(work, 'big.tar');
    await docker.ok('save', '-o', file, image);
    await docker.ok('rm', container);
    await docker.ok('rmi', image);
    for (const delay of [20, 120, 250, 400]) {
      const loading = docker.run(['load', '-i', file]);
      await sleep(delay);
      await engine.end('SIGKILL');
      const loaded = await loading;
      await engine.up();
      const look = await engine.control.run('save', {
        argv: ['sh', '-c', 'cd /var/lib/docker; ls staging; ls overlay2 | grep -cx "[0-9a-f]\\{26\\}"'],
      });
      const isThere = (await docker.run(['image', 'inspect', image])).code === 0;
      if (loaded.code === 0) expect(isThere).toBe(true);
      expect(look.stdout.trim()).toBe(isThere ? '1' : '0');
      if (isThere) await docker.ok('rmi', image);
    }
    await docker.ok('load', '-i', file);
    expect(await idOf(docker, image)).toBe(id);
    await docker.ok('rmi', image);
  }, 60_000);
});

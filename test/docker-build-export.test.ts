// What a build gives, by the real CLI: images that are the same again, tar archives, files; against Berth and a real dockerd.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CommandResult, type DockerCli, runCommand } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { pluginConfig } from './support/plugins.ts';
import { dockerTargets } from './support/targets.ts';

for (const target of dockerTargets('exports')) {
  describe.skipIf(engineMissing)(
    `what docker build gives on ${target.title}${engineMissing ? ` (${engineMissing})` : ''}`,
    () => {
      let docker: DockerCli;
      let config: string;
      let work: string;
      let image: string;

      beforeAll(async () => {
        docker = await target.open();
        config = await pluginConfig();
      });
      afterAll(async () => {
        await target.close();
        await rm(config, { recursive: true, force: true });
      });
      beforeEach(async () => {
        work = await mkdtemp(path.join(os.tmpdir(), 'berth-export-'));
        image = `export-${randomBytes(4).toString('hex')}`;
        await writeFile(path.join(work, 'file'), `${image}\n`);
        return async () => {
          await docker.run(['rmi', '-f', image, `${image}:other`]);
          await rm(work, { recursive: true, force: true });
        };
      });

      const build = async (
        dockerfile: string,
        args: readonly string[],
        env: Record<string, string> = {},
      ): Promise<CommandResult> => {
        await writeFile(path.join(work, 'Dockerfile'), dockerfile);
        const options = { env: { ...env, DOCKER_CONFIG: config, HOME: work } };
        return docker.run(['build', '--progress=plain', ...args, work], options);
      };
      const inspect = async (format: string, name = image) => docker.ok('inspect', '-f', format, name);

      it('gives two builds of the same files the same layers, and an image a name each', async () => {
        const dockerfile = `FROM busybox\nLABEL of=${image}\nRUN echo ${image} > /same\n`;
        expect(await build(dockerfile, ['-t', image])).toMatchObject({ code: 0 });
        const [id, layers] = [await inspect('{{.Id}}'), await inspect('{{json .RootFS.Layers}}')];
        const other = await build(`${dockerfile}CMD other\n`, ['-t', `${image}:other`]);
        expect(other.stderr).toMatch(/CACHED/);
        expect(other.stderr).toMatch(/writing image sha256:[0-9a-f]{64}/);
        expect(other.stderr).toContain(`naming to docker.io/library/${image}:other`);
        expect(await inspect('{{json .RootFS.Layers}}', `${image}:other`)).toBe(layers);
        expect(await inspect('{{.Id}}', `${image}:other`)).not.toBe(id);
        await docker.ok('rmi', image);
        expect(await docker.ok('run', '--rm', `${image}:other`, 'cat', '/same')).toBe(image);
        await build(dockerfile, ['-t', image]);
        expect(await inspect('{{.Id}}')).toBe(id);
      });

      it('keeps what several builds of the same kind make at the same time', async () => {
        const dockerfile = `FROM busybox\nRUN echo ${image} > /one\nCOPY file /two\nRUN true\n`;
        await writeFile(path.join(work, 'Dockerfile'), dockerfile);
        const names = [image, `${image}:other`];
        const builds = await Promise.all(names.map((name) => build(dockerfile, ['-t', name])));
        expect(builds.map(({ code }) => code)).toEqual([0, 0]);
        for (const name of names) {
          expect(await docker.ok('run', '--rm', name, 'cat', '/one', '/two')).toBe(`${image}\n${image}`);
        }
      });

      it('gives configurations without layers', async () => {
        expect(await build('FROM scratch\nLABEL a=b\n', ['-t', image])).toMatchObject({ code: 0 });
        expect(await inspect('{{json .Config.Labels}} {{.Size}}')).toBe('{"a":"b"} 0');
        const created = await inspect('{{.Created}}', 'busybox');
        await build('FROM busybox\nLABEL a=b\n', ['-t', image]);
        expect(await inspect('{{.Created}}')).toBe(created);
      });

      it('dates an image by SOURCE_DATE_EPOCH', async () => {
        const dockerfile = `FROM busybox\nRUN echo ${image} > /dated\nCMD dated\n`;
        const epoch = { SOURCE_DATE_EPOCH: '1700000000' };
        expect(await build(dockerfile, ['-t', image], epoch)).toMatchObject({ code: 0 });
        expect(await inspect('{{.Created}}')).toBe('2023-11-14T22:13:20Z');
        const id = await inspect('{{.Id}}');
        await build(dockerfile, ['-t', image]);
        expect(await inspect('{{.Id}}')).not.toBe(id);
        await build(dockerfile, ['-t', image], epoch);
        expect(await inspect('{{.Id}}')).toBe(id);
      });

      it.runIf(target.isBerth)('makes the same bytes again with SOURCE_DATE_EPOCH', async () => {
        const dockerfile = `FROM busybox\nRUN echo ${image} > /dated\nWORKDIR /a/b\nCOPY file .\n`;
        const epoch = { SOURCE_DATE_EPOCH: '1700000000' };
        await build(dockerfile, ['-t', image], epoch);
        const id = await inspect('{{.Id}}');
        await build(dockerfile, ['-t', image, '--no-cache'], epoch);
        expect(await inspect('{{.Id}}')).toBe(id);
        const seconds = await docker.ok('run', '--rm', image, 'stat', '-c', '%Y', '/dated', '/a/b');
        expect(seconds).toBe('1700000000\n1700000000');
      });

      it('writes an archive of the files', async () => {
        const archive = path.join(work, 'files.tar');
        const made = await build(
          'FROM busybox AS made\nRUN mkdir -p /a/b && ln -s b /a/link && rm /bin/ls && touch -d @1 /a/old\nFROM made\nRUN rm /a/old\n',
          ['-o', `type=tar,dest=${archive}`],
        );
        expect(made).toMatchObject({ code: 0 });
        const { stdout } = await runCommand(['tar', 'tf', archive]);
        const names = stdout.split('\n');
        expect(names).toEqual(expect.arrayContaining(['a/b/', 'a/link', 'bin/busybox']));
        expect(names).not.toContain('a/old');
        expect(names).not.toContain('bin/ls');
        expect(names.filter((name) => name.includes('.wh.'))).toEqual([]);
      });

      it('leaves no image where none was asked for', async () => {
        const before = await docker.ok('images', '-aq');
        const made = await build('FROM scratch\nCOPY file /\n', ['-o', path.join(work, 'out')]);
        expect(made).toMatchObject({ code: 0 });
        if (target.isBerth) expect(await docker.ok('images', '-aq')).toBe(before);
      });
    },
  );
}

// docker load and import of archives that are compressed in every way that Docker knows, by the real CLI.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerCli, runCommand } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const unique = (prefix: string) => `${prefix}-${randomBytes(4).toString('hex')}`;
const COMPRESSORS = ['gzip', 'bzip2', 'xz', 'zstd -q'];

describe.skipIf(engineMissing).each(dockerTargets('compressed'))(
  `$title: compressed archives${engineMissing ? ` (${engineMissing})` : ''}`,
  (target) => {
    let docker: DockerCli;
    let work: string;
    beforeAll(async () => {
      work = await mkdtemp(path.join(os.tmpdir(), 'berth-compressed-'));
      docker = await target.open();
    });
    afterAll(async () => {
      await target.close();
      await rm(work, { recursive: true, force: true });
    });
    const shell = async (script: string) => {
      const result = await runCommand(['sh', '-ec', script]);
      if (result.code !== 0) throw new Error(result.stderr);
    };

    // dockerd runs xz too, where its host has one
    const compressors = COMPRESSORS.filter((each) => target.isBerth || each !== 'xz');

    it.each(compressors)('loads what %s made', async (compressor) => {
      const image = `${unique('compressed')}:v1`;
      const container = await docker.ok('run', '-d', 'busybox', 'sh', '-c', `echo ${unique('x')} > /unique`);
      await docker.ok('wait', container);
      const id = await docker.ok('commit', container, image);
      await docker.ok('rm', container);
      const file = path.join(work, `${image.replace(':', '-')}.tar`);
      await docker.ok('save', '-o', file, image);
      await docker.ok('rmi', image);
      await shell(`${compressor} -c ${file} > ${file}.z`);
      expect(await docker.ok('load', '-i', `${file}.z`)).toBe(`Loaded image: ${image}`);
      expect(await docker.ok('inspect', '-f', '{{.Id}}', image)).toBe(id);
      await docker.ok('rmi', image);
    });

    it.each(compressors)('imports what %s made, and refuses half of it', async (compressor) => {
      const root = await mkdtemp(path.join(work, 'root-'));
      await shell(`seq 1 100000 > ${root}/file; tar -C ${root} -c file | ${compressor} -c > ${root}.z`);
      const id = await docker.ok('import', `${root}.z`);
      expect(await docker.ok('inspect', '-f', '{{.Size}}', id)).toBe('588895');
      await docker.ok('rmi', id);
      await shell(`head -c 3000 ${root}.z > ${root}.half`);
      expect((await docker.run(['import', `${root}.half`])).code).toBe(1);
    });
  },
);

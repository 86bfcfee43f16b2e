// What the build cache must find and what it must not, by the real CLI: against Berth and, where BERTH_PEER names one, a real dockerd.

import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DockerCli } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { pluginConfig } from './support/plugins.ts';
import { dockerTargets } from './support/targets.ts';

for (const target of dockerTargets('buildcache')) {
  describe.skipIf(engineMissing)(
    `the build cache of ${target.title}${engineMissing ? ` (${engineMissing})` : ''}`,
    () => {
      let docker: DockerCli;
      let config: string;
      let work: string;
      let mark: string;

      beforeAll(async () => {
        docker = await target.open();
        config = await pluginConfig();
      });
      afterAll(async () => {
        await target.close();
        await rm(config, { recursive: true, force: true });
      });
      beforeEach(async () => {
        work = await mkdtemp(path.join(os.tmpdir(), 'berth-cache-'));
        mark = randomBytes(4).toString('hex');
        await mkdir(path.join(work, 'src'));
        await writeFile(path.join(work, 'src/file'), `${mark}\n`);
        await symlink('file', path.join(work, 'src/link'));
        await writeFile(path.join(work, 'other'), 'other\n');
        return () => rm(work, { recursive: true, force: true });
      });

      /** Whether each instruction that starts with a word in capitals was found in the cache, by instruction. */
      async function build(dockerfile: string, args: readonly string[] = [], context = work) {
        const file = path.join(work, 'Dockerfile');
        await writeFile(file, dockerfile);
        const env = { DOCKER_CONFIG: config, HOME: work };
        const all = ['build', '--progress=plain', '-f', file, ...args, context];
        const { code, stderr } = await docker.run(all, { env });
        if (code !== 0) throw new Error(stderr);
        const found = new Map<string, boolean>();
        for (const [, number = '', name = ''] of stderr.matchAll(
          /^#(\d+) \[(?!internal)[^\]]*\] ((?:RUN|COPY|WORKDIR|ADD) .*)$/gm,
        )) {
          found.set(name, new RegExp(`^#${number} CACHED$`, 'm').test(stderr));
        }
        return found;
      }
      const found = async (...args: Parameters<typeof build>) => [...(await build(...args)).values()];

      const SIMPLE = () => `FROM busybox\nRUN echo ${mark}\nCOPY src /src/\nRUN cat /src/file > /all\n`;

      it('finds everything when only times, names of builds and what is not copied differ', async () => {
        expect(await found(SIMPLE())).toEqual([false, false, false]);
        await utimes(path.join(work, 'src/file'), 1, 1);
        expect(await found(SIMPLE())).toEqual([true, true, true]);
        await writeFile(path.join(work, 'other'), 'changed\n');
        expect(await found(SIMPLE())).toEqual([true, true, true]);
        const commented = `# a comment\n${SIMPLE().replace('COPY src', '\n# another\nCOPY  src')}`;
        expect(await found(`${commented}CMD ["new"]\nLABEL a=b\nEXPOSE 80\n`)).toEqual([true, true, true]);
        const elsewhere = await mkdtemp(path.join(os.tmpdir(), 'berth-cache-'));
        await cp(work, elsewhere, { recursive: true, verbatimSymlinks: true });
        expect(await found(SIMPLE(), [], elsewhere)).toEqual([true, true, true]);
        await rm(elsewhere, { recursive: true });
      });

      it('does not find a copy whose content, mode, names or links have changed', async () => {
        await build(SIMPLE());
        const changes = [
          () => writeFile(path.join(work, 'src/file'), 'changed\n'),
          () => chmod(path.join(work, 'src/file'), 0o711),
          () => writeFile(path.join(work, 'src/new'), ''),
          async () => {
            await rm(path.join(work, 'src/link'));
            await symlink('new', path.join(work, 'src/link'));
          },
          () => mkdir(path.join(work, 'src/empty')),
          () => rm(path.join(work, 'src/new')),
        ];
        for (const change of changes) {
          await change();
          expect(await found(SIMPLE())).toEqual([true, false, false]);
        }
      });

      it('finds a file again that was changed back', async () => {
        await build(SIMPLE());
        await writeFile(path.join(work, 'src/file'), 'changed\n');
        await build(SIMPLE());
        await writeFile(path.join(work, 'src/file'), `${mark}\n`);
        expect(await found(SIMPLE())).toEqual([true, true, true]);
      });

      it('does not look at ignored files', async () => {
        const dockerfile = `FROM busybox\nCOPY . /all/${mark}/\n`;
        await writeFile(path.join(work, '.dockerignore'), 'other\nDockerfile\n');
        expect(await found(dockerfile)).toEqual([false]);
        await writeFile(path.join(work, 'other'), 'changed\n');
        expect(await found(dockerfile)).toEqual([true]);
      });

      it('knows a stage by what is copied from it', async () => {
        const staged = (command: string) =>
          `FROM busybox AS made\nRUN ${command}\nFROM busybox\nCOPY --from=made /made /got\nRUN cat /got\n`;
        await build(staged(`echo ${mark} > /made`));
        const same = await build(staged(`echo ${mark} >  /made; echo more > /else`));
        expect([...same.values()].filter(Boolean).length).toBe(2);
        const other = await build(staged(`echo other ${mark} > /made`));
        expect([...other.values()].filter(Boolean).length).toBe(0);
      });

      it('does not find a command with other variables, arguments, user or folder', async () => {
        const dockerfile = (line: string) => `FROM busybox\nARG WHAT\n${line}\nRUN echo ${mark}\n`;
        expect(await found(dockerfile(''), ['--build-arg', 'WHAT=one'])).toEqual([false]);
        expect(await found(dockerfile(''), ['--build-arg', 'WHAT=one'])).toEqual([true]);
        expect(await found(dockerfile(''), ['--build-arg', 'WHAT=two'])).toEqual([false]);
        expect(await found(dockerfile('ENV A=b'), ['--build-arg', 'WHAT=one'])).toEqual([false]);
        expect(await found(dockerfile('USER 7'), ['--build-arg', 'WHAT=one'])).toEqual([false]);
        expect(await found(dockerfile('LABEL a=b'), ['--build-arg', 'WHAT=one'])).toEqual([true]);
        expect((await found(dockerfile('WORKDIR /tmp'), ['--build-arg', 'WHAT=one'])).at(-1)).toBe(false);
      });

      it('is not asked with --no-cache, and has the new result afterwards', async () => {
        await build(SIMPLE());
        expect(await found(SIMPLE(), ['--no-cache'])).toEqual([false, false, false]);
        expect(await found(SIMPLE())).toEqual([true, true, true]);
      });

      it.runIf(target.isBerth)('is there after the engine was killed, and gone after a prune', async () => {
        await build(SIMPLE(), ['-t', mark]);
        await build(`${SIMPLE()}RUN echo without an image > /x\n`);
        await target.engine().end('SIGKILL');
        await target.engine().up();
        expect(await found(`${SIMPLE()}RUN echo without an image > /x\n`)).toEqual([true, true, true, true]);
        const run = await docker.ok('run', '--rm', mark, 'cat', '/all');
        expect(run).toBe(mark);
        const pruned = await docker.run(['builder', 'prune', '-af'], { env: { DOCKER_CONFIG: config } });
        expect(pruned).toMatchObject({ code: 0 });
        expect(await docker.ok('run', '--rm', mark, 'cat', '/all')).toBe(mark);
        expect(await found(SIMPLE())).toEqual([false, false, false]);
      });
    },
  );
}

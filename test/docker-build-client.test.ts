// docker build by the real CLI, with buildx and without: the same script against Berth and, where BERTH_PEER names one, a real dockerd.

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BuildActivity } from '../engine/client/build-events.ts';
import type { CommandResult, DockerCli } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { pluginConfig } from './support/plugins.ts';
import { dockerTargets } from './support/targets.ts';

const DOCKERFILE = `FROM busybox AS maker
ARG WHAT=nothing
RUN echo "made $WHAT" > /made

FROM busybox
ENV COLOR=green
WORKDIR /work/here
COPY file folder ./
COPY --from=maker /made /from/
RUN cat /from/made file inner && touch /etc/new
CMD ["cat", "/from/made"]
`;

for (const target of dockerTargets('build')) {
  describe.skipIf(engineMissing)(
    `docker build on ${target.title}${engineMissing ? ` (${engineMissing})` : ''}`,
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
        work = await mkdtemp(path.join(os.tmpdir(), 'berth-build-'));
        image = `build-${randomBytes(4).toString('hex')}`;
        await mkdir(path.join(work, 'folder'));
        await writeFile(path.join(work, 'file'), `${image}\n`);
        await writeFile(path.join(work, 'folder/inner'), 'inner\n');
        return async () => {
          await docker.run(['rmi', '-f', image]);
          await rm(work, { recursive: true, force: true });
        };
      });

      const run = (args: string[], more: Record<string, string> = {}): Promise<CommandResult> => {
        return docker.run(args, { env: { DOCKER_CONFIG: config, HOME: work, ...more } });
      };
      const build = async (dockerfile: string, ...args: string[]) => {
        await writeFile(path.join(work, 'Dockerfile'), dockerfile);
        return run(['build', '--progress=plain', '-t', image, ...args, work]);
      };
      const inspect = async (format: string) => docker.ok('inspect', '-f', format, image);

      it('builds stages, files and commands, and from the cache the same image again', async () => {
        const first = await build(DOCKERFILE, '--build-arg', `WHAT=${image}`);
        expect(first.stderr).toMatch(/\[stage-1 5\/5\] RUN cat/);
        expect(first.stderr).toContain(`made ${image}`);
        expect(first).toMatchObject({ code: 0 });
        expect(await docker.ok('run', '--rm', image)).toBe(`made ${image}`);
        expect(await docker.ok('run', '--rm', image, 'sh', '-c', 'pwd; ls; echo $COLOR')).toBe(
          '/work/here\nfile\ninner\ngreen',
        );
        const id = await inspect('{{.Id}}');
        const again = await build(DOCKERFILE, '--build-arg', `WHAT=${image}`);
        expect(again.stderr.match(/ CACHED/g)?.length).toBe(5);
        expect(await inspect('{{.Id}}')).toBe(id);
        const layers = JSON.parse(await inspect('{{json .RootFS.Layers}}'));
        const history = await docker.ok(
          'history',
          '--format',
          '{{.CreatedBy}}|{{.Comment}}',
          '--no-trunc',
          image,
        );
        expect(history.split('\n').slice(0, 6)).toEqual([
          'CMD ["cat" "/from/made"]|buildkit.dockerfile.v0',
          'RUN /bin/sh -c cat /from/made file inner && touch /etc/new # buildkit|buildkit.dockerfile.v0',
          'COPY /made /from/ # buildkit|buildkit.dockerfile.v0',
          'COPY file folder ./ # buildkit|buildkit.dockerfile.v0',
          'WORKDIR /work/here|buildkit.dockerfile.v0',
          'ENV COLOR=green|buildkit.dockerfile.v0',
        ]);
        expect(layers.length).toBeGreaterThan(4);
      });

      it('does not take an image of another machine for the one that is asked for', async () => {
        const { code, stderr } = await build('FROM --platform=linux/arm64 busybox\nRUN true');
        expect(code).not.toBe(0);
        expect(stderr).toMatch(/ERROR|error/);
      });

      it('does again what a changed file, argument or --no-cache asks for, and nothing else', async () => {
        await build(DOCKERFILE, '--build-arg', `WHAT=${image}`);
        await writeFile(path.join(work, 'file'), `changed ${image}\n`);
        const file = (await build(DOCKERFILE, '--build-arg', `WHAT=${image}`)).stderr;
        expect(file).toMatch(/\[stage-1 2\/5\] WORKDIR \/work\/here\n#\d+ CACHED/);
        expect(file).toMatch(/\[maker 2\/2\] RUN .*\n#\d+ CACHED/);
        expect(file).not.toMatch(/COPY file folder .*\n#\d+ CACHED/);
        const argument = (await build(DOCKERFILE, '--build-arg', `WHAT=${image}-other`)).stderr;
        expect(argument).toMatch(/COPY file folder .*\n#\d+ CACHED/);
        expect(argument).not.toMatch(/\[maker 2\/2\] RUN .*\n#\d+ CACHED/);
        const none = (await build(DOCKERFILE, '--no-cache', '--build-arg', `WHAT=${image}`)).stderr;
        expect(none).not.toMatch(/(RUN|COPY) .*\n#\d+ CACHED/);
      });

      it('fails as BuildKit does, with the line of the Dockerfile', async () => {
        const failed = await build('FROM busybox\n\nRUN echo before; exit 7\nRUN true\n');
        expect(failed.code).toBe(1);
        expect(failed.stderr).toContain(' before\n');
        expect(failed.stderr).toContain('Dockerfile:3\n--------------------\n');
        expect(failed.stderr).toContain('   3 | >>> RUN echo before; exit 7\n');
        expect(failed.stderr).toMatch(
          /ERROR: failed to (build: failed to )?solve: process "\/bin\/sh -c echo before; exit 7" did not complete successfully: exit code: 7/,
        );
        const missing = await build('FROM busybox\nCOPY nothing /\n');
        expect(missing.stderr).toMatch(/failed to calculate checksum of ref .*: "\/nothing": not found/);
        expect((await build('FORM busybox\n')).stderr).toContain(
          'dockerfile parse error on line 1: unknown instruction: FORM',
        );
        expect((await docker.run(['image', 'inspect', image])).code).toBe(1);
      });

      it('mounts caches, memory, secrets and other stages for a RUN', async () => {
        await writeFile(path.join(work, 'secret'), 'sesame');
        const mounts = `FROM busybox AS data
RUN echo from data > /data; : ${image}
FROM busybox
RUN echo ${image}
RUN --mount=type=cache,id=${image},target=/cache cat /cache/* 2>/dev/null; echo kept > /cache/file
RUN --mount=type=tmpfs,target=/memory mount | grep -c /memory
RUN --mount=type=secret,id=word cat /run/secrets/word; : ${image}
RUN --mount=type=bind,from=data,source=/data,target=/other cat /other; : ${image}
RUN --mount=type=bind,target=/context cat /context/folder/inner; touch /context/x 2>/dev/null || echo read-only
`;
        const secret = ['--secret', `id=word,src=${path.join(work, 'secret')}`];
        const first = await build(mounts, ...secret);
        expect(first).toMatchObject({ code: 0 });
        expect(first.stderr).toMatch(/ sesame\n/);
        expect(first.stderr).toMatch(/ from data\n/);
        expect(first.stderr).toMatch(/ inner\n[^\n]* read-only/);
        const second = await build(mounts.replace('cat /cache/*', 'cat  /cache/*'), ...secret);
        expect(second.stderr).toMatch(/ kept\n/);
      });

      it('leaves no trace of mounts in the image, and runs as the user that the image names', async () => {
        await writeFile(path.join(work, 'secret'), 'sesame');
        const dockerfile = `FROM busybox
RUN echo 'me:x:77:88::/home/me:/bin/sh' >> /etc/passwd && mkdir -p /home/me && chown 77:88 /home/me
RUN --mount=type=cache,id=${image},target=/deep/cache --mount=type=secret,id=word --mount=type=tmpfs,target=/mem true
USER me
RUN id -u > /home/me/who; echo $HOME >> /home/me/who
`;
        const built = await build(dockerfile, '--secret', `id=word,src=${path.join(work, 'secret')}`);
        expect(built).toMatchObject({ code: 0 });
        expect(await docker.ok('run', '--rm', image, 'cat', '/home/me/who')).toBe('77\n/home/me');
        expect(
          (await docker.run(['run', '--rm', image, 'ls', '-d', '/deep', '/mem', '/run/secrets'])).stdout,
        ).toBe('');
        if (!target.isBerth) return;
        const variable = await build(
          `FROM busybox\nRUN --mount=type=secret,id=word,env=WORD test "$WORD" = sesame; : ${image}\n`,
          ...['--secret', `id=word,src=${path.join(work, 'secret')}`],
        );
        expect(variable).toMatchObject({ code: 0 });
      });

      it('builds for clients without BuildKit, in the classic words', async () => {
        const classic = (...args: string[]) => {
          return run(['build', '-t', image, ...args, work], { DOCKER_BUILDKIT: '0' });
        };
        await writeFile(path.join(work, 'Dockerfile'), DOCKERFILE);
        const first = await classic('--build-arg', `WHAT=${image}`, '--target', '');
        expect(first.stdout).toContain('Step 3/10 : RUN echo "made $WHAT" > /made\n ---> Running in ');
        expect(first.stdout).toMatch(/Step 5\/10 : ENV COLOR=green\n/);
        expect(first.stdout).toMatch(
          /Step 9\/10 : RUN cat .*\n ---> Running in [0-9a-f]{12}\nmade build-[0-9a-f]{8}\nbuild-[0-9a-f]{8}\ninner\n ---> Removed intermediate container [0-9a-f]{12}\n ---> [0-9a-f]{12}\nStep 10\/10 : CMD/,
        );
        expect(first.stdout).toMatch(
          new RegExp(`Successfully built [0-9a-f]{12}\\nSuccessfully tagged ${image}:latest\\n$`),
        );
        expect(first.code).toBe(0);
        expect(await docker.ok('run', '--rm', image)).toBe(`made ${image}`);
        const id = await inspect('{{.Id}}');
        expect((await classic('-q', '--build-arg', `WHAT=${image}`)).stdout.trim()).toBe(id);
        const again = (await classic('--build-arg', `WHAT=${image}`)).stdout;
        expect(again).toMatch(/Step 9\/10 : RUN cat .*\n ---> Using cache\n ---> [0-9a-f]{12}\n/);
        await writeFile(path.join(work, 'Dockerfile'), 'FROM busybox\nRUN echo out; exit 3\n');
        const failed = await classic();
        expect(failed.stdout).toMatch(
          /Step 2\/2 : RUN echo out; exit 3\n ---> Running in [0-9a-f]{12}\nout\n/,
        );
        expect(failed.stderr).toContain(
          "The command '/bin/sh -c echo out; exit 3' returned a non-zero code: 3",
        );
        expect(failed.code).toBe(3);
        await writeFile(path.join(work, 'Dockerfile'), 'FROM busybox\nCOPY zz /\n');
        expect((await classic()).stderr).toContain(
          'COPY failed: file not found in build context or excluded by',
        );
        await writeFile(path.join(work, 'Dockerfile'), 'FORM busybox\n');
        expect((await classic()).stderr).toContain(
          'dockerfile parse error on line 1: unknown instruction: FORM',
        );
      });

      it('shows what the cache holds, and prunes it', async () => {
        await build(DOCKERFILE, '--build-arg', `WHAT=${image}`);
        expect((await run(['buildx', 'du'])).stdout).toMatch(/^ID\s+RECLAIMABLE\s+SIZE/);
        expect((await run(['system', 'df'])).stdout).toMatch(/\nBuild Cache\s+\d+/);
        if (!target.isBerth) return;
        expect((await run(['builder', 'prune', '-a', '-f'])).stdout).toContain('Total');
      });

      it('bakes several targets, and builds for compose', async () => {
        await writeFile(
          path.join(work, 'Dockerfile'),
          `FROM busybox\nARG WHO\nRUN echo "$WHO" > /who; : ${image}\nCMD cat /who\n`,
        );
        await writeFile(
          path.join(work, 'docker-bake.json'),
          JSON.stringify({
            group: { default: { targets: ['a', 'b'] } },
            target: {
              a: { context: work, tags: [`${image}:a`], args: { WHO: 'first' } },
              b: { context: work, tags: [`${image}:b`], args: { WHO: 'second' } },
            },
          }),
        );
        expect(await run(['buildx', 'bake', '-f', path.join(work, 'docker-bake.json')])).toMatchObject({
          code: 0,
        });
        expect(await docker.ok('run', '--rm', `${image}:a`)).toBe('first');
        expect(await docker.ok('run', '--rm', `${image}:b`)).toBe('second');
        await docker.ok('rmi', '-f', `${image}:a`, `${image}:b`);
        await writeFile(
          path.join(work, 'compose.yaml'),
          `services:\n  one:\n    image: ${image}\n    build:\n      context: .\n      args:\n        WHO: composed\n`,
        );
        const composed = await run([
          'compose',
          '--project-directory',
          work,
          '-f',
          path.join(work, 'compose.yaml'),
          'build',
        ]);
        expect(composed).toMatchObject({ code: 0 });
        expect(await docker.ok('run', '--rm', image)).toBe('composed');
      });

      it.skipIf(!target.isBerth)('tells watchers of its steps, their output, and the layers', async () => {
        const seen: BuildActivity[] = [];
        const leaving = new AbortController();
        const watching = (async () => {
          const { control } = target.engine();
          for await (const event of control.builds('build', { signal: leaving.signal })) {
            seen.push(event);
            if (event.kind === 'ended') return;
          }
        })();
        await new Promise((resolve) => setTimeout(resolve, 100));
        await build(`FROM busybox\nRUN echo ${image} | tee /who\n`);
        await watching;
        leaving.abort();
        const step = seen.flatMap((event) =>
          event.kind === 'step' && event.step.name.includes('RUN') ? event.step : [],
        );
        expect(step.map(({ state }) => state)).toEqual(expect.arrayContaining(['running', 'done']));
        expect(seen.find((event) => event.kind === 'log')).toMatchObject({
          text: `${image}\n`,
          stream: 'stdout',
        });
        const ended = seen.at(-1);
        expect(ended).toMatchObject({ kind: 'ended', error: '', imageId: await inspect('{{.Id}}') });
        expect(ended?.kind === 'ended' ? ended.layers.at(-1) : undefined).toMatchObject({
          size: image.length + 1,
          createdBy: `RUN /bin/sh -c echo ${image} | tee /who # buildkit`,
        });
      });

      it('gives the result as files', async () => {
        await writeFile(path.join(work, 'Dockerfile'), 'FROM scratch\nCOPY folder /out/\nCOPY file /\n');
        const out = path.join(work, 'result');
        expect(await run(['build', '-o', out, work])).toMatchObject({ code: 0 });
        expect(await readFile(path.join(out, 'out/inner'), 'utf8')).toBe('inner\n');
        expect(await readFile(path.join(out, 'file'), 'utf8')).toBe(`${image}\n`);
      });
    },
  );
}

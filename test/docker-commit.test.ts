// docker commit, import and what images of a student's own do, by the real CLI, on Berth and a real dockerd.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerCli, runCommand } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const unique = (prefix: string) => `${prefix}-${randomBytes(4).toString('hex')}`;

describe.skipIf(engineMissing).each(dockerTargets('commit'))(
  `images of one's own on $title${engineMissing ? ` (${engineMissing})` : ''}`,
  (target) => {
    let docker: DockerCli;
    let work: string;
    beforeAll(async () => {
      work = await mkdtemp(path.join(os.tmpdir(), 'berth-commit-'));
      docker = await target.open();
    });
    afterAll(async () => {
      await target.close();
      await rm(work, { recursive: true, force: true });
    });

    const script =
      'echo new > /new; mkdir -p /d/e; echo x > /d/e/f; ln /d/e/f /d/hard; ln -s e/f /d/soft;' +
      ` mkdir -p /${'long'.repeat(30)}; echo y > /${'long'.repeat(30)}/file; rm /etc/group; chown 7:8 /new; chmod 4750 /new`;

    async function changed(): Promise<string> {
      const name = unique('changed');
      await docker.ok('run', '--name', name, 'busybox', 'sh', '-c', script);
      return name;
    }

    it('commits what a container has written, deletions too', async () => {
      const container = await changed();
      const image = unique('made');
      const id = await docker.ok('commit', '-m', 'a message', '-a', 'me', container, `${image}:one`);
      expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
      const look =
        `cat /new /d/hard /d/soft /${'long'.repeat(30)}/file; stat -c "%u:%g %a" /new; stat -c %h /d/hard;` +
        ' ls /etc/group 2>&1; ls /bin/sh';
      expect(await docker.ok('run', '--rm', `${image}:one`, 'sh', '-c', look)).toBe(
        'new\nx\nx\ny\n7:8 4750\n2\nls: /etc/group: No such file or directory\n/bin/sh',
      );
      expect(
        await docker.ok('inspect', '-f', '{{.Author}}|{{.Comment}}|{{len .RootFS.Layers}}', `${image}:one`),
      ).toBe('me|a message|2');
      expect(
        await docker.ok('history', '--format', '{{.CreatedBy}}|{{.Comment}}', '--no-trunc', `${image}:one`),
      ).toContain('a message');
      await docker.ok('rm', container);
      expect(await docker.ok('rmi', `${image}:one`)).toMatch(
        new RegExp(`^Untagged: ${image}:one\nDeleted: ${id}\nDeleted: sha256:[0-9a-f]{64}$`),
      );
    });

    it('applies --change', async () => {
      const container = await changed();
      const image = unique('made');
      const changes = [
        'CMD ["cat", "/new"]',
        'ENV A=1 B="two words"',
        'LABEL tier=web',
        'EXPOSE 80 53/udp',
        'WORKDIR /d',
        'USER 7',
        'VOLUME /data',
        'ENTRYPOINT ["/bin/sh", "-c"]',
      ];
      await docker.ok('commit', ...changes.flatMap((each) => ['-c', each]), container, image);
      const format =
        '{{json .Config.Cmd}} {{json .Config.Entrypoint}} {{.Config.WorkingDir}} {{.Config.User}} {{json .Config.ExposedPorts}} {{.Config.Labels.tier}} {{json .Config.Volumes}} {{json .Config.Env}}';
      const shown = await docker.ok('inspect', '-f', format, image);
      expect(shown).toContain(
        '["cat","/new"] ["/bin/sh","-c"] /d 7 {"53/udp":{},"80/tcp":{}} web {"/data":{}}',
      );
      expect(shown).toContain('"A=1","B=two words"');
      const wrong = await docker.run(['commit', '-c', 'RUN true', container]);
      expect(wrong.code).toBe(1);
      expect(wrong.stderr).toContain('is not a valid change command');
      await docker.ok('rm', container);
      await docker.ok('rmi', image);
    });

    it('commits a running container, and one that was never started', async () => {
      const container = unique('running');
      await docker.ok('run', '-d', '--name', container, 'busybox', 'sh', '-c', 'echo 1 > /one; sleep 60');
      const first = await docker.ok('commit', container);
      const second = await docker.ok('commit', '--pause=false', container);
      expect(await docker.ok('inspect', '-f', '{{.State.Status}}', container)).toBe('running');
      expect(await docker.ok('run', '--rm', first, 'cat', '/one')).toBe('1');
      const created = await docker.ok('create', second, 'true');
      const third = await docker.ok('commit', created);
      expect(await docker.ok('inspect', '-f', '{{len .RootFS.Layers}}', third)).toBe('2');
      const inWay = await docker.run(['rmi', second]);
      expect(inWay.code).toBe(1);
      expect(inWay.stderr).toContain('image has dependent child images');
      await docker.ok('rm', '-f', container, created);
      await docker.ok('rmi', third, first);
    });

    it('imports an archive, compressed or not, and from standard input', async () => {
      const tar = path.join(work, 'root.tar');
      await runCommand([
        'sh',
        '-c',
        `mkdir -p ${work}/root/dir && echo hello > ${work}/root/dir/file && tar -C ${work}/root -cf ${tar} . && gzip -k ${tar}`,
      ]);
      for (const file of [tar, `${tar}.gz`]) {
        const name = unique('imported');
        const id = await docker.ok('import', '-m', 'from afar', '-c', 'CMD ["/x"]', file, `${name}:v1`);
        expect(await docker.ok('images', '-q', '--no-trunc', name)).toBe(id);
        expect(await docker.ok('inspect', '-f', '{{json .Config.Cmd}} {{.Comment}}', `${name}:v1`)).toBe(
          '["/x"] from afar',
        );
        await docker.ok('rmi', `${name}:v1`);
      }
      const bad = await docker.run(['import', '-'], { stdin: 'this is no archive '.repeat(100) });
      expect(bad.code).toBe(1);
      expect(bad.stderr).toContain('invalid tar header');
    });

    it('keeps a layer as long as an image needs it', async () => {
      const container = await changed();
      const [one, two] = [unique('first'), unique('second')];
      await docker.ok('commit', container, one);
      await docker.ok('rm', container);
      const next = unique('next');
      await docker.ok('run', '--name', next, one, 'sh', '-c', 'echo more > /more');
      await docker.ok('commit', next, two);
      await docker.ok('rm', next);
      expect(await docker.ok('rmi', one)).toBe(`Untagged: ${one}:latest`);
      expect(await docker.ok('run', '--rm', two, 'cat', '/new', '/more')).toBe('new\nmore');
      expect((await docker.ok('rmi', two)).match(/^Deleted: /gm)).toHaveLength(4);
    });

    it('prunes dangling images by label, and tells sizes of layers that are shared', async () => {
      const label = unique('t');
      const container = await changed();
      const keep = await docker.ok('commit', '-c', `LABEL ${label}=keep`, container);
      const drop = await docker.ok('commit', '-c', `LABEL ${label}=drop`, container);
      await docker.ok('rm', container);
      const pruned = await docker.ok('image', 'prune', '-f', '--filter', `label=${label}=drop`);
      expect(pruned).toMatch(new RegExp(`^Deleted Images:\ndeleted: ${drop}\n`, 'i'));
      expect((await docker.run(['image', 'inspect', drop])).code).toBe(1);
      expect(await docker.ok('run', '--rm', keep, 'cat', '/new')).toBe('new');
      const rows = await docker.ok('system', 'df', '-v', '--format', '{{json .Images}}');
      expect(rows).toContain(keep.slice('sha256:'.length, 'sha256:'.length + 12));
      await docker.ok('rmi', keep);
    });

    it.runIf(target.isBerth)('keeps images over kill -9, and nothing that was half done', async () => {
      const container = await changed();
      const image = unique('kept');
      await docker.ok('commit', container, image);
      await target.engine().end('SIGKILL');
      await target.engine().up();
      expect(await docker.ok('run', '--rm', image, 'cat', '/new')).toBe('new');
      await docker.ok('rm', container);
      await docker.ok('rmi', image);
      const run = await target.engine().control.run('commit', {
        argv: [
          'sh',
          '-c',
          'cd /var/lib/docker; ls staging image/splits; ls overlay2 | grep -cx "[0-9a-f]\\{26\\}"',
        ],
      });
      expect(run.stdout.trim()).toMatch(/^(image\/splits:\s*)?0$/);
    });
  },
);

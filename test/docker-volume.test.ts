// Volumes by the real docker CLI: the same script against a sandbox and, where BERTH_PEER names its socket, a real dockerd.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { DockerCli } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const unique = (prefix: string) => `${prefix}-${randomBytes(4).toString('hex')}`;
const Mounts = z.array(
  z.looseObject({ Type: z.string(), Destination: z.string(), Name: z.string().optional() }),
);

describe.skipIf(engineMissing).each(dockerTargets('volumes'))(
  `docker volume on $title${engineMissing ? ` (${engineMissing})` : ''}`,
  (target) => {
    let docker: DockerCli;
    const made = { volumes: new Set<string>(), images: new Set<string>(), containers: new Set<string>() };

    beforeAll(async () => {
      docker = await target.open();
    });
    afterAll(async () => {
      await docker.run(['rm', '-f', ...made.containers, 'no-such-container']);
      await docker.run(['volume', 'rm', '-f', ...made.volumes, 'no-such-volume']);
      await docker.run(['image', 'rm', '-f', ...made.images, 'no-such-image']);
      await target.close();
    });

    function volume(): string {
      const name = unique('vol');
      made.volumes.add(name);
      return name;
    }
    function container(): string {
      const name = unique('ctr');
      made.containers.add(name);
      return name;
    }
    /** An image with files of several owners and kinds, and a VOLUME. */
    async function imageWithVolume(): Promise<string> {
      const [name, image] = [container(), unique('img')];
      made.images.add(image);
      const script =
        'mkdir -p /data/sub /empty; echo hello > /data/sub/file; ln -s sub/file /data/link; ln /data/sub/file /data/hard;' +
        ' ln -s /data /alias; mkfifo /data/fifo; chown -R 123:456 /data; chmod 2750 /data/sub; chmod 1777 /empty';
      await docker.ok('run', '--name', name, 'busybox', 'sh', '-c', script);
      await docker.ok('commit', '-c', 'VOLUME /data', '-c', 'CMD ["sh"]', name, image);
      await docker.ok('rm', name);
      return image;
    }
    async function mountsOf(name: string) {
      const text = await docker.ok('inspect', '-f', '{{json .Mounts}}', name);
      const mounts = Mounts.parse(JSON.parse(text));
      return mounts.sort((a, b) => (a.Destination < b.Destination ? -1 : 1));
    }
    async function failure(...args: string[]): Promise<string> {
      const result = await docker.run(args);
      expect(result.code, `docker ${args.join(' ')}`).not.toBe(0);
      return result.stderr;
    }
    const sh = (mounts: string[], script: string) =>
      docker.ok('run', '--rm', ...mounts, 'busybox', 'sh', '-c', script);

    describe('create, ls, inspect, rm', () => {
      it('makes a volume that keeps what containers write, until it is removed', async () => {
        const name = volume();
        expect(await docker.ok('volume', 'create', '--label', 'a=b', name)).toBe(name);
        expect(await docker.ok('volume', 'create', name)).toBe(name);
        await sh(['-v', `${name}:/v`], 'echo kept > /v/file');
        expect(await sh(['-v', `${name}:/w:ro`], 'cat /w/file')).toBe('kept');
        const [seen] = z
          .array(z.looseObject({}))
          .parse(JSON.parse(await docker.ok('volume', 'inspect', name)));
        expect(seen).toMatchObject({
          Driver: 'local',
          Labels: { a: 'b' },
          Mountpoint: `/var/lib/docker/volumes/${name}/_data`,
          Name: name,
          Options: null,
          Scope: 'local',
          CreatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        });
        expect(await docker.ok('volume', 'rm', name)).toBe(name);
        expect(await failure('volume', 'inspect', name)).toContain(`get ${name}: no such volume`);
        expect(await failure('volume', 'rm', name)).toContain(`get ${name}: no such volume`);
        await docker.ok('volume', 'rm', '-f', name);
      });

      it('lists by filters', async () => {
        const [one, two, holder] = [volume(), volume(), container()];
        const label = unique('l');
        await docker.ok('volume', 'create', '--label', `${label}=1`, one);
        await docker.ok('volume', 'create', '--label', `${label}=2`, two);
        await docker.ok('create', '--name', holder, '-v', `${two}:/x`, 'busybox');
        const ls = async (...filters: string[]) =>
          (await docker.ok('volume', 'ls', '-q', ...filters.flatMap((each) => ['-f', each])))
            .split('\n')
            .sort();
        const both = [one, two].sort();
        expect(await ls(`label=${label}`)).toEqual(both);
        expect(await ls(`label=${label}=2`)).toEqual([two]);
        expect(await ls(`label=${label}`, 'dangling=true')).toEqual([one]);
        expect(await ls(`label=${label}`, 'dangling=false')).toEqual([two]);
        expect(await ls(`name=${one.slice(2)}`)).toEqual([one]);
        expect(await ls(`label=${label}`, 'driver=local')).toEqual(both);
        expect(await failure('volume', 'ls', '-f', 'bogus=1')).toContain("invalid filter 'bogus'");
        expect(await docker.ok('ps', '-aq', '--no-trunc', '-f', `volume=${two}`)).toBe(
          await docker.ok('inspect', '-f', '{{.Id}}', holder),
        );
      });

      it('refuses to remove what a container mounts, running or not', async () => {
        const [name, holder] = [volume(), container()];
        const id = await docker.ok('create', '--name', holder, '-v', `${name}:/x`, 'busybox');
        expect(await failure('volume', 'rm', name)).toContain(`remove ${name}: volume is in use - [${id}]`);
        expect(await failure('volume', 'rm', '-f', name)).toContain('volume is in use');
        await docker.ok('rm', holder);
        await docker.ok('volume', 'rm', name);
      });

      it('refuses names, drivers and options in Docker’s words', async () => {
        expect(await failure('volume', 'create', 'x')).toContain('create x: volume name is too short');
        expect(await failure('volume', 'create', 'a b')).toContain(
          'create a b: "a b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed.',
        );
        // dockerd looks for the plugin for 15 seconds
        if (target.isBerth)
          expect(await failure('volume', 'create', '-d', 'nosuch', 'vv')).toContain(
            'plugin "nosuch" not found',
          );
        expect(await failure('volume', 'create', '-o', 'foo=bar', 'vv')).toContain(
          'create vv: invalid option: "foo"',
        );
        expect(await failure('volume', 'create', '-o', 'type=tmpfs', 'vv')).toContain(
          'create vv: missing required option: "device"',
        );
        expect(await failure('create', '-v', 'rel/path:/x', 'busybox')).toContain(
          'create rel/path: "rel/path" includes invalid characters',
        );
        expect(await failure('create', '-v', 'vv:/x:bogus', 'busybox')).toContain('invalid mode: bogus');
      });

      it('tells events in Docker’s order', async () => {
        const name = volume();
        const since = String((Date.now() - 100) / 1000);
        const id = await docker.ok('create', '-v', `${name}:/x:ro`, '--network', 'none', 'busybox', 'true');
        await docker.ok('start', '-a', id);
        await docker.ok('rm', id);
        await docker.ok('volume', 'rm', name);
        const until = String((Date.now() + 400) / 1000);
        const all = await docker.ok('events', '--since', since, '--until', until, '--format', '{{json .}}');
        const Event = z.looseObject({
          Type: z.string(),
          Action: z.string(),
          Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()) }),
        });
        const events = all
          .split('\n')
          .map((line) => Event.parse(JSON.parse(line)))
          .filter(({ Actor }) => [id, name].includes(Actor.ID));
        expect(events.map(({ Type, Action }) => `${Type} ${Action}`)).toEqual([
          'volume create',
          'container create',
          'container attach',
          'volume mount',
          'container start',
          'volume unmount',
          'container die',
          'container destroy',
          'volume destroy',
        ]);
        expect(events[3]?.Actor.Attributes).toEqual({
          container: id,
          destination: '/x',
          driver: 'local',
          propagation: '',
          'read/write': 'false',
        });
        expect(events[5]?.Actor.Attributes).toEqual({ container: id, driver: 'local' });
      });
    });

    describe('copy-up', () => {
      const listing =
        'cd /v && stat -c "%n %F %a %u:%g" . sub sub/file link hard fifo; readlink link; cat link';
      const copied = [
        '. directory 755 123:456',
        'sub directory 2750 123:456',
        'sub/file regular file 644 123:456',
        // busybox's chown -R follows the link given, and leaves the link
        expect.stringMatching(/^link symbolic link 777 \d+:\d+$/),
        'hard regular file 644 123:456',
        'fifo fifo 644 123:456',
        'sub/file',
        'hello',
      ];

      it('fills an empty volume from the image: owners, modes, links', async () => {
        const [image, name] = [await imageWithVolume(), volume()];
        await docker.ok('run', '--rm', '-v', `${name}:/data`, image, 'true');
        expect((await sh(['-v', `${name}:/v`], listing)).split('\n')).toEqual(copied);
        expect(await sh(['-v', `${name}:/v`], 'stat -c %h /v/hard')).toBe('2');
        // not again
        await sh(['-v', `${name}:/v`], 'rm -r /v/sub');
        expect(await docker.ok('run', '--rm', '-v', `${name}:/data`, image, 'ls', '/data')).toBe(
          'fifo\nhard\nlink',
        );
      });

      it('happens when the container is created, and follows the image’s own links', async () => {
        const [image, name, one] = [await imageWithVolume(), volume(), container()];
        await docker.ok('create', '--name', one, '-v', `${name}:/alias`, image);
        expect(await sh(['-v', `${name}:/v`], 'ls /v')).toBe('fifo\nhard\nlink\nsub');
      });

      it('takes over owner and mode of an empty directory', async () => {
        const [image, name] = [await imageWithVolume(), volume()];
        await docker.ok('run', '--rm', '-v', `${name}:/empty`, image, 'true');
        expect(await sh(['-v', `${name}:/v`], 'stat -c %a /v; ls /v')).toBe('1777');
      });

      it('does not happen with nocopy, in binds, or in volumes with files', async () => {
        const [image, one, two, three] = [await imageWithVolume(), volume(), volume(), volume()];
        const ls = (...mount: string[]) => docker.ok('run', '--rm', ...mount, image, 'ls', '/data');
        expect(await ls('-v', `${one}:/data:nocopy`)).toBe('');
        expect(await ls('--mount', `type=volume,src=${two},dst=/data,volume-nocopy`)).toBe('');
        await sh(['-v', `${three}:/v`], 'touch /v/mine');
        expect(await ls('-v', `${three}:/data`)).toBe('mine');
        expect(await ls('-v', '/usr:/data')).not.toContain('hard');
      });

      it('gives each container of an image with VOLUME a volume of its own', async () => {
        const [image, one, two] = [await imageWithVolume(), container(), container()];
        await docker.ok('run', '--name', one, image, 'sh', '-c', 'echo one > /data/own; cat /data/sub/file');
        await docker.ok('run', '--name', two, image, 'sh', '-c', 'test ! -e /data/own');
        const [mount] = await mountsOf(one);
        expect(mount).toMatchObject({
          Type: 'volume',
          Destination: '/data',
          Driver: 'local',
          Mode: '',
          RW: true,
        });
        expect(mount?.Name).toMatch(/^[0-9a-f]{64}$/);
        expect(await docker.ok('volume', 'inspect', '-f', '{{json .Labels}}', mount?.Name ?? '')).toBe(
          '{"com.docker.volume.anonymous":""}',
        );
        await docker.ok('rm', '-v', one, two);
        expect(await failure('volume', 'inspect', mount?.Name ?? '')).toContain('no such volume');
      });

      it('refuses a volume on a file of the image', async () => {
        const name = volume();
        expect(await failure('run', '--rm', '-v', `${name}:/bin/busybox`, 'busybox', 'true')).toMatch(
          /source .*\/bin\/busybox is not directory/,
        );
      });
    });

    describe('anonymous volumes', () => {
      it('go with docker rm -v and run --rm, and stay otherwise; named ones always stay', async () => {
        const [named, one] = [volume(), container()];
        const id = await docker.ok('create', '--name', one, '-v', '/a', '-v', `${named}:/b`, 'busybox');
        const name = (await mountsOf(id))[0]?.Name ?? '';
        made.volumes.add(name);
        await docker.ok('rm', id);
        await docker.ok('volume', 'inspect', name, named);

        const shared = await docker.ok('create', '-v', '/a', '-v', `${named}:/b`, 'busybox');
        const other = await docker.ok('create', '--volumes-from', shared, 'busybox');
        const both = (await mountsOf(shared))[0]?.Name ?? '';
        await docker.ok('rm', '-v', shared);
        await docker.ok('volume', 'inspect', both, named);
        await docker.ok('rm', '-v', other);
        expect(await failure('volume', 'inspect', both)).toContain('no such volume');

        const since = String((Date.now() - 100) / 1000);
        await docker.ok('run', '--rm', '-v', '/a', '-v', `${named}:/b`, 'busybox', 'touch', '/a/x');
        const until = String((Date.now() + 300) / 1000);
        const destroyed = await docker.ok(
          ...['events', '--since', since, '--until', until, '--filter', 'type=volume'],
          ...['--filter', 'event=destroy', '--format', '{{.Actor.ID}}'],
        );
        expect(destroyed).toMatch(/^[0-9a-f]{64}$/m);
        expect(destroyed).not.toContain(named);
      });
    });

    describe('--mount', () => {
      it('takes the options of volumes and of tmpfs, and shows them in inspect', async () => {
        const [name, one] = [volume(), container()];
        await docker.ok(
          ...['create', '--name', one, '-v', '/tmp:/host:ro', '--tmpfs', '/hidden'],
          ...['--mount', `type=volume,src=${name},dst=/m,readonly,volume-label=q=1`],
          ...['--mount', 'type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700', 'busybox'],
        );
        expect(await mountsOf(one)).toEqual([
          {
            Type: 'bind',
            Source: '/tmp',
            Destination: '/host',
            Mode: 'ro',
            RW: false,
            Propagation: 'rprivate',
          },
          {
            Type: 'volume',
            Name: name,
            Source: `/var/lib/docker/volumes/${name}/_data`,
            Destination: '/m',
            Driver: 'local',
            Mode: 'z',
            RW: false,
            Propagation: '',
          },
          { Type: 'tmpfs', Source: '', Destination: '/t', Mode: '', RW: true, Propagation: '' },
        ]);
        expect(await docker.ok('volume', 'inspect', '-f', '{{json .Labels}}', name)).toBe('{"q":"1"}');
        const shown = await docker.ok('inspect', '-f', '{{json .HostConfig.Mounts}}', one);
        expect(JSON.parse(shown)).toMatchObject([
          {
            Type: 'volume',
            Source: name,
            Target: '/m',
            ReadOnly: true,
            VolumeOptions: { Labels: { q: '1' } },
          },
          { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1048576, Mode: 0o700 } },
        ]);
        const seen = await sh(
          ['--mount', 'type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700'],
          'stat -c %a /t; df -k /t | tail -n 1',
        );
        expect(seen).toMatch(/^700\ntmpfs +1024 /);
      });

      it('mounts a part of a volume, and nothing outside it', async () => {
        const name = volume();
        await sh(
          ['-v', `${name}:/v`],
          'mkdir /v/sub; echo part > /v/sub/f; echo file > /v/file; ln -s sub /v/in; ln -s /etc /v/out; ln -s ../.. /v/up',
        );
        const part = (subpath: string) => `type=volume,src=${name},dst=/x,volume-subpath=${subpath}`;
        expect(await sh(['--mount', part('sub')], 'cat /x/f')).toBe('part');
        expect(await sh(['--mount', part('in')], 'cat /x/f; touch /x/made')).toBe('part');
        expect(await sh(['--mount', part('file')], 'cat /x')).toBe('file');
        expect(await sh(['--mount', `${part('sub')},readonly`], 'touch /x/no 2>&1 || ls /x')).toContain(
          'made',
        );
        for (const outside of ['out', 'up']) {
          expect(await failure('run', '--rm', '--mount', part(outside), 'busybox', 'ls', '/x')).toContain(
            `path concatenation escapes the base directory, base: /var/lib/docker/volumes/${name}/_data, subpath: ${outside}`,
          );
        }
        expect(await failure('run', '--rm', '--mount', part('nosuch'), 'busybox')).toContain(
          `cannot access path /var/lib/docker/volumes/${name}/_data/nosuch: lstat /var/lib/docker/volumes/${name}/_data/nosuch: no such file or directory`,
        );
        expect(await failure('create', '--mount', part('../x'), 'busybox')).toContain(
          'subpath must be a relative path within the volume',
        );
      });

      it('keeps read-only mounts read-only below as well', async () => {
        const [one, two] = [volume(), volume()];
        const script = 'touch /v/x; touch /v/below/x; true';
        await sh(['-v', `${one}:/v`], 'mkdir /v/below');
        const result = await docker.run([
          ...['run', '--rm', '-v', `${one}:/v:ro`, '-v', `${two}:/v/below`, 'busybox', 'sh', '-c', script],
        ]);
        expect(result.stderr).toMatch(/^touch: \/v\/x: Read-only file system$/m);
        expect(result.stderr).not.toContain('/v/below/x');
      });

      it('refuses propagation that the mount of the source does not have', async () => {
        const run = (mode: string) =>
          failure(
            'run',
            '--rm',
            '--mount',
            `type=bind,src=/usr,dst=/x,bind-propagation=${mode}`,
            'busybox',
            'true',
          );
        expect(await run('rshared')).toMatch(/path \/usr is mounted on \/\S* but it is not a shared mount/);
        expect(await run('rslave')).toMatch(
          /path \/usr is mounted on \/\S* but it is not a shared or slave mount/,
        );
        expect(
          await failure('create', '--mount', 'type=bind,src=/usr,dst=/x,bind-propagation=up', 'busybox'),
        ).toContain('invalid propagation mode: up');
      });
    });

    describe('--volumes-from, backup and restore', () => {
      it('mounts what the other container mounts, read-only when asked', async () => {
        const [name, one] = [volume(), container()];
        await docker.ok(
          'run',
          '--name',
          one,
          '-v',
          `${name}:/d`,
          '-v',
          '/anon',
          'busybox',
          'sh',
          '-c',
          'echo 1 > /d/f; echo 2 > /anon/f',
        );
        expect(await sh(['--volumes-from', one], 'cat /d/f /anon/f')).toBe('1\n2');
        expect(await sh(['--volumes-from', `${one}:ro`], 'touch /d/x 2>&1; echo')).toContain(
          'Read-only file system',
        );
        expect(await failure('create', '--volumes-from', `${one}:zz`, 'busybox')).toContain(
          'invalid mode: zz',
        );
        expect(await failure('create', '--volumes-from', 'no-such-one', 'busybox')).toContain(
          'No such container: no-such-one',
        );
      });

      it('backs up a volume to an archive and restores it in another, as Docker’s documentation shows', async () => {
        const [store, restored, backup] = [container(), container(), volume()];
        await docker.ok(
          'run',
          '-v',
          '/dbdata',
          '--name',
          store,
          'busybox',
          'sh',
          '-c',
          'echo data > /dbdata/db; chown 7:8 /dbdata/db',
        );
        await sh(['--volumes-from', store, '-v', `${backup}:/backup`], 'tar cf /backup/backup.tar /dbdata');
        await docker.ok('run', '-v', '/dbdata', '--name', restored, 'busybox', 'true');
        await sh(
          ['--volumes-from', restored, '-v', `${backup}:/backup`],
          'cd /dbdata && tar xf /backup/backup.tar --strip 1',
        );
        expect(await sh(['--volumes-from', restored], 'cat /dbdata/db; stat -c %u:%g /dbdata/db')).toBe(
          'data\n7:8',
        );
        await docker.ok('rm', '-v', store, restored);
      });
    });

    describe('the local driver’s options', () => {
      it('mounts a tmpfs while containers run', async () => {
        const [name, one] = [volume(), container()];
        await docker.ok(
          'volume',
          'create',
          '-o',
          'type=tmpfs',
          '-o',
          'device=tmpfs',
          '-o',
          'o=size=1m,uid=1000,mode=750',
          name,
        );
        await docker.ok(
          'run',
          '-d',
          '--name',
          one,
          '-v',
          `${name}:/x`,
          'busybox',
          'sh',
          '-c',
          'echo in > /x/f; sleep 600',
        );
        expect(
          await sh(
            ['-v', `${name}:/x`],
            'until test -s /x/f; do sleep 0.1; done; cat /x/f; stat -c "%a %u" /x; df -k /x | tail -n 1',
          ),
        ).toMatch(/^in\n750 1000\ntmpfs +1024 /);
        await docker.ok('rm', '-f', one);
        expect(await sh(['-v', `${name}:/x`], 'ls /x')).toBe('');
      });

      it('mounts a directory of the host, and says when it is not there', async () => {
        const [name, readOnly, missing] = [volume(), volume(), volume()];
        const bind = (device: string, o: string) => [
          '-o',
          'type=none',
          '-o',
          `device=${device}`,
          '-o',
          `o=${o}`,
        ];
        await docker.ok('volume', 'create', ...bind('/usr', 'bind'), name);
        expect(await sh(['-v', `${name}:/x`], 'ls -d /x/bin')).toBe('/x/bin');
        await docker.ok('volume', 'create', ...bind('/usr', 'bind,ro'), readOnly);
        expect(await sh(['-v', `${readOnly}:/x`], 'touch /x/t 2>&1; true')).toContain(
          'Read-only file system',
        );
        await docker.ok('volume', 'create', ...bind('/no/such', 'bind'), missing);
        expect(await failure('run', '--rm', '-v', `${missing}:/x`, 'busybox')).toContain(
          `error while mounting volume '/var/lib/docker/volumes/${missing}/_data': failed to mount local volume: mount /no/such:/var/lib/docker/volumes/${missing}/_data, flags: 0x1000: no such file or directory`,
        );
      });
    });

    describe('df', () => {
      it('counts who uses a volume, and its size', async () => {
        const [name, one] = [volume(), container()];
        await docker.ok(
          'run',
          '--name',
          one,
          '-v',
          `${name}:/x`,
          'busybox',
          'sh',
          '-c',
          'head -c 100000 /dev/zero > /x/f; ln /x/f /x/g',
        );
        const text = await docker.ok('system', 'df', '-v', '--format', 'json');
        const Df = z.looseObject({
          Volumes: z.array(z.looseObject({ Name: z.string(), Links: z.string(), Size: z.string() })),
        });
        const found = Df.parse(JSON.parse(text)).Volumes.find((each) => each.Name === name);
        expect(found).toMatchObject({ Links: '1', Size: '100kB' });
      });
    });

    // It would take what others keep on a shared dockerd.
    describe.skipIf(!target.isBerth)('prune', () => {
      it('removes anonymous volumes that nobody mounts, and named ones with --all', async () => {
        const [named, used, one] = [volume(), volume(), container()];
        await docker.ok('volume', 'create', named);
        const anonymous = await docker.ok('volume', 'create');
        await docker.ok('create', '--name', one, '-v', `${used}:/x`, '-v', '/y', 'busybox');
        await docker.ok('volume', 'prune', '-f');
        const left = await docker.ok('volume', 'ls', '-q');
        expect(left).toContain(named);
        expect(left).not.toContain(anonymous);
        const output = await docker.ok('volume', 'prune', '-af');
        expect(output).toContain(named);
        expect(output).toMatch(/Total reclaimed space: /);
        const kept = await docker.ok('volume', 'ls', '-q');
        for (const { Name } of await mountsOf(one)) expect(kept).toContain(Name);
        expect(kept).not.toContain(named);
      });
    });
  },
);

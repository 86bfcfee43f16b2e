// Log drivers and docker logs by the real CLI, on Berth and, where BERTH_PEER names its socket, on a real dockerd.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DockerCli } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const unique = (prefix: string) => `${prefix}-${randomBytes(4).toString('hex')}`;
const counted = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => `${first + i}`);

describe.skipIf(engineMissing).each(dockerTargets('logs'))(
  `docker logs on $title${engineMissing ? ` (${engineMissing})` : ''}`,
  (target) => {
    let docker: DockerCli;
    beforeAll(async () => {
      docker = await target.open();
    });
    afterAll(async () => {
      await target.close();
    });

    /** Runs a script to its end with log options; its name. */
    async function logged(script: string, ...options: string[]): Promise<string> {
      const name = unique('log');
      await docker.ok('run', '--name', name, ...options, 'busybox', 'sh', '-c', script);
      return name;
    }
    const limits = (size: string, files: string, ...more: string[]) => [
      ...['--log-opt', `max-size=${size}`, '--log-opt', `max-file=${files}`],
      ...more,
    ];
    const lines = async (name: string, ...options: string[]) =>
      (await docker.ok('logs', ...options, name)).split('\n');

    it.each([
      ['json-file', []],
      ['json-file', ['--log-opt', 'compress=true']],
      ['local', []],
    ])('reads across the files of %s %j', async (driver, more) => {
      const script =
        'i=1; while [ $i -le 60 ]; do echo $i; [ $((i % 10)) = 0 ] && sleep 0.15; i=$((i+1)); done; echo end >&2';
      const name = await logged(script, '--log-driver', driver, ...limits('1k', '100', ...more));
      expect(await lines(name)).toEqual(counted(1, 60));
      expect((await docker.run(['logs', name])).stderr).toBe('end\n');
      // stderr's line is the last, and counts
      expect(await lines(name, '--tail', '36')).toEqual(counted(26, 60));
      expect(await lines(name, '--tail', '3')).toEqual(['59', '60']);
      expect(await lines(name, '--tail', '1000')).toEqual(counted(1, 60));
      const stamped = await lines(name, '-t');
      const [time = '', number] = (stamped[19] ?? '').split(' ');
      expect(number).toBe('20');
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
      // lines that were written together may have the same time
      const since = await lines(name, '--since', time);
      expect(since).toEqual(counted(Number(since[0]), 60));
      expect(Number(since[0])).toBeGreaterThan(10);
      expect(Number(since[0])).toBeLessThanOrEqual(20);
      const until = await lines(name, '--until', time);
      expect(until.slice(0, 19)).toEqual(counted(1, 19));
      expect(until.length).toBeLessThan(31);
      await docker.ok('rm', name);
    });

    it('drops the oldest lines', async () => {
      const name = await logged('seq 1 100', ...limits('1k', '3'));
      const kept = await lines(name);
      expect(kept.at(-1)).toBe('100');
      expect(kept).toEqual(counted(Number(kept[0]), 100));
      expect(kept.length).toBeGreaterThan(26);
      expect(kept.length).toBeLessThan(45);
      await docker.ok('rm', name);
    });

    it('goes on in the same files after a restart', async () => {
      const name = await logged('date +%s%N >> /runs; seq 1 20; wc -l < /runs', ...limits('1k', '10'));
      await docker.ok('start', name);
      await docker.ok('wait', name);
      expect(await lines(name)).toEqual([...counted(1, 20), '1', ...counted(1, 20), '2']);
      await docker.ok('rm', name);
    });

    it('follows over rotations to the end', async () => {
      const name = unique('log');
      const script =
        'i=1; while [ $i -le 400 ]; do echo $i; [ $((i % 20)) = 0 ] && sleep 0.05; i=$((i+1)); done';
      await docker.ok('run', '-d', '--name', name, ...limits('2k', '40'), 'busybox', 'sh', '-c', script);
      await sleep(200);
      expect((await docker.ok('logs', '-f', name)).split('\n')).toEqual(counted(1, 400));
      await docker.ok('rm', name);
    });

    it.each([[[]], [['--log-opt', 'compress=true']]])('reads whole while it is rotated %j', async (more) => {
      const name = unique('log');
      const script =
        'i=1; while [ $i -le 12000 ]; do echo $i; [ $((i % 100)) = 0 ] && sleep 0.02; i=$((i+1)); done';
      await docker.ok(
        'run',
        '-d',
        '--name',
        name,
        ...limits('20k', '200', ...more),
        'busybox',
        'sh',
        '-c',
        script,
      );
      const status = () => docker.ok('inspect', '-f', '{{.State.Status}}', name);
      do {
        for (const tail of ['all', '2000', '10']) {
          const numbers = (await lines(name, '--tail', tail)).filter(Boolean).map(Number);
          const jumps = numbers.filter((number, i) => i > 0 && number !== (numbers[i - 1] ?? 0) + 1);
          expect({ tail, jumps }).toEqual({ tail, jumps: [] });
          if (tail === 'all') expect(numbers[0] ?? 1).toBe(1);
        }
      } while ((await status()) === 'running');
      expect(await lines(name)).toEqual(counted(1, 12_000));
      expect(await lines(name, '--tail', '3000')).toEqual(counted(9001, 12_000));
      await docker.ok('rm', name);
    });

    it('shows labels, variables and the tag with --details', async () => {
      const name = unique('log');
      await docker.ok(
        ...['run', '--name', name, '--label', 'a=x y=,"q', '-e', 'E=ee', '--log-opt', 'labels=a,b'],
        ...['--log-opt', 'env=E,F', '--log-opt', 'tag={{.Name}}/{{.ImageName}}', 'busybox', 'echo', 'hi'],
      );
      expect((await docker.run(['logs', '--details', name])).stdout).toBe(
        `E=ee,a=x+y%3D%2C%22q,tag=${name}%2Fbusybox hi\n`,
      );
      expect((await docker.run(['logs', '--details', '-t', name])).stdout).toMatch(
        /^\S+Z E=ee,a=x\+y%3D%2C%22q,tag=\S+ hi\n$/,
      );
      expect(await docker.ok('logs', name)).toBe('hi');
      await docker.ok('rm', name);
      const plain = await logged('echo hi');
      expect((await docker.run(['logs', '--details', plain])).stdout).toBe(' hi\n');
      await docker.ok('rm', plain);
    });

    it('has no log with the driver none', async () => {
      const name = await logged('echo hi', '--log-driver', 'none');
      const refused = await docker.run(['logs', name]);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain('configured logging driver does not support reading');
      expect(await docker.ok('inspect', '-f', '{{json .HostConfig.LogConfig}}{{.LogPath}}', name)).toBe(
        '{"Type":"none","Config":{}}',
      );
      await docker.ok('rm', name);
    });

    it.each([
      [['--log-driver', 'foo'], 'error looking up logging plugin foo: plugin "foo" not found'],
      [['--log-opt', 'foo=bar'], "unknown log opt 'foo' for json-file log driver"],
      [
        ['--log-opt', 'max-size=abc'],
        "failed to create task for container: failed to initialize logging driver: invalid size: 'abc'",
      ],
      [
        ['--log-opt', 'compress=true'],
        'compress cannot be true when max-file is less than 2 or max-size is not set',
      ],
      [['--log-opt', 'mode=blah'], 'logger: logging mode not supported: blah'],
    ])('refuses %j', async (options, message) => {
      const refused = await docker.run(['run', '--rm', ...options, 'busybox', 'true']);
      expect(refused.code).toBe(125);
      expect(refused.stderr).toContain(message);
    });

    it('takes non-blocking delivery', async () => {
      const name = await logged(
        'echo hi',
        '--log-opt',
        'mode=non-blocking',
        '--log-opt',
        'max-buffer-size=1m',
      );
      expect(await docker.ok('logs', name)).toBe('hi');
      await docker.ok('rm', name);
    });

    it('shows bytes as they were written', async () => {
      const name = await logged('printf "tab\\there \\"quoted\\" \\\\ <&> \\303\\251\\n"; printf unfinished');
      expect((await docker.run(['logs', name])).stdout).toBe('tab\there "quoted" \\ <&> é\nunfinished');
      await docker.ok('rm', name);
    });

    it.runIf(target.isBerth)('survives what a student puts in place of the files', async () => {
      const name = await logged(
        'for i in 0 1 2 3; do seq $((i * 10 + 1)) $((i * 10 + 10)); sleep 0.2; done',
        ...limits('500', '5', '--log-opt', 'compress=true'),
      );
      const { control } = target.engine();
      const path = await docker.ok('inspect', '-f', '{{.LogPath}}', name);
      const spoil = async (script: string) => {
        await control.run('logs', { argv: ['sh', '-c', script, 'sh', path] });
        return docker.run(['logs', '--tail', '100000', name]);
      };
      await expect
        .poll(async () => (await control.run('logs', { argv: ['sh', '-c', `ls ${path}.*`] })).stdout)
        .toMatch(/\.2\.gz\n/);
      // what decompresses to 8 GiB
      const bomb = await spoil(
        'head -c 8388608 /dev/zero | gzip -9 > /b; for i in $(seq 1024); do cat /b; done > "$1.3.gz"',
      );
      expect(bomb).toMatchObject({ code: 0, stdout: expect.stringMatching(/(^|\n)40\n$/) });
      expect(await spoil('echo garbage > "$1.2.gz"; ln -sf /dev/zero "$1.1"')).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/(^|\n)40\n$/),
      });
      expect(await spoil('rm -rf "$1"*; mkdir "$1"')).toMatchObject({ stdout: '' });
      await docker.ok('rm', name);
    });
  },
);

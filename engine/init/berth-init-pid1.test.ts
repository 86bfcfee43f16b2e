// berth-init as what it is for: the static program as PID 1 of namespaces, adopting real containers made by crun.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fields, step, T } from './test/codec.ts';
import { A, F, Init, type Peer, SOURCES, until, wait } from './test/harness.ts';

const BUSYBOX = '/bin/busybox';
const missing = [
  process.getuid?.() === 0 ? '' : 'root',
  spawnSync('crun', ['--version']).status === 0 ? '' : 'crun',
  existsSync(BUSYBOX) ? '' : 'busybox-static',
].filter((what) => what !== '');

describe.skipIf(missing.length > 0)(
  `as PID 1 with crun${missing.length ? ` (needs ${missing})` : ''}`,
  () => {
    let init: Init;
    let control: Peer;

    beforeAll(async () => {
      // crun refuses hosts that mix cgroup v1 and v2; an empty /sys/fs/cgroup in a mount namespace of our own gets round it
      const enter = 'mount -t tmpfs none /sys/fs/cgroup && mount -t tmpfs none /run && exec "$0" "$@"';
      init = await Init.start([
        'unshare',
        '--mount',
        '--pid',
        '--fork',
        '--kill-child',
        '--mount-proc',
        'sh',
        '-c',
        enter,
      ]);
      control = await init.control();
    });

    afterAll(async () => {
      await init.stop();
    });

    const sh = (script: string) => ['sh', '-c', script];

    /** A bundle of busybox; crun's own `spec` is the template. */
    function bundle(name: string, args: readonly string[], terminal = false): string {
      const directory = init.mkdir(name);
      for (const dir of ['bin', 'proc', 'sys', 'dev', 'tmp']) init.mkdir(`${name}/rootfs/${dir}`);
      copyFileSync(BUSYBOX, `${directory}/rootfs/bin/busybox`);
      chmodSync(`${directory}/rootfs/bin/busybox`, 0o755);
      execFileSync('ln', ['-s', 'busybox', `${directory}/rootfs/bin/sh`]);
      execFileSync('crun', ['spec'], { cwd: directory });
      const config = JSON.parse(readFileSync(`${directory}/config.json`, 'utf8'));
      config.process.args = args;
      config.process.terminal = terminal;
      config.linux.resources = {};
      config.linux.namespaces = config.linux.namespaces.filter((n: { type: string }) => n.type !== 'cgroup');
      writeFileSync(`${directory}/config.json`, JSON.stringify(config));
      return directory;
    }

    const crun = (id: string, directory: string, ...more: string[]) => {
      const run = ['run', '--detach', '--pid-file', `${directory}/pid`, ...more, '--bundle', directory, id];
      return step('exec', { arg: ['crun', '--root', '/run/crun', '--cgroup-manager=disabled', ...run] });
    };

    it('is the first process, and reaps whoever is orphaned', async () => {
      await control.request(T.START, {
        key: 'orphans',
        flags: F.DISCARD,
        arg: sh('for i in 1 2 3 4 5; do (sleep 0.05 &) ; done; readlink /proc/self/ns/pid'),
      });
      await control.exitOf('orphans');
      await wait(200);
      await control.request(T.START, { key: 'ps', flags: F.RESERVE });
      const peer = await init.attach('ps', A.ALL);
      await control.request(T.START, {
        key: 'ps',
        arg: sh('cat /proc/1/comm; grep -l "State:.Z" /proc/[0-9]*/status; true'),
      });
      expect((await peer.streams()).stdout).toBe('berth-init\n');
    });

    it('runs a container: output, log, exit code', async () => {
      const directory = bundle('c1', ['/bin/sh', '-c', 'echo out; echo err >&2; exit 3']);
      await control.request(T.START, { key: 'c1', flags: F.RESERVE });
      const peer = await init.attach('c1', A.ALL);
      const log = `${directory}/log`;
      const reply = await control.request(T.START, {
        key: 'c1',
        flags: F.ADOPT,
        pidfile: `${directory}/pid`,
        log,
        step: crun('c1', directory),
      });
      expect(reply.texts.text ?? '').toBe('');
      expect(reply.numbers.errno).toBe(0);
      expect(await peer.streams()).toMatchObject({ stdout: 'out\n', stderr: 'err\n' });
      expect((await control.exitOf('c1')).numbers.status).toBe(3);
      expect(readFileSync(log, 'utf8')).toContain('"log":"err\\n","stream":"stderr"');
    });

    it('gives a container a terminal by the console socket, and execs into it with another', async () => {
      const directory = bundle(
        'c2',
        [
          '/bin/sh',
          '-c',
          '/bin/busybox stty size; read x; /bin/busybox stty size; exec /bin/busybox sleep 60',
        ],
        true,
      );
      const [console, pidfile] = ['/run/c2.sock', `${directory}/pid`];
      const flags = F.ADOPT | F.TERMINAL;
      const reply = await control.request(T.START, {
        key: 'c2',
        flags,
        console,
        pidfile,
        rows: 33,
        cols: 99,
        step: crun('c2', directory, '--console-socket', console),
      });
      expect(reply.texts.text ?? '').toBe('');
      const peer = await init.attach('c2', A.ALL | A.REPLAY);
      peer.write(T.STDIN, Buffer.from('\n'));
      await peer.output('33 99');
      const execConsole = '/run/e2.sock';
      const exec = [
        'exec',
        '--detach',
        '--tty',
        '--console-socket',
        execConsole,
        '--pid-file',
        '/run/e2.pid',
        'c2',
        '/bin/sh',
        '-c',
        'echo pid $$; exit 8',
      ];
      const started = await control.request(T.START, {
        key: 'e2',
        flags,
        console: execConsole,
        pidfile: '/run/e2.pid',
        step: step('exec', { arg: ['crun', '--root', '/run/crun', '--cgroup-manager=disabled', ...exec] }),
      });
      expect(started.texts.text ?? '').toBe('');
      expect(await (await init.attach('e2', A.ALL | A.REPLAY)).output('pid ')).toMatch(/pid \d+/);
      expect((await control.exitOf('e2')).numbers.status).toBe(8);
      await control.request(T.SIGNAL, { key: 'c2', signo: 9 });
      expect((await control.exitOf('c2')).numbers.status).toBe(137);
    });

    it('passes on why crun refused', async () => {
      const directory = bundle('c3', ['/no/such/program']);
      const reply = await control.request(T.START, {
        key: 'c3',
        flags: F.ADOPT,
        pidfile: `${directory}/pid`,
        step: crun('c3', directory),
      });
      expect(reply.numbers).toMatchObject({ errno: 5, stepIndex: 0, exit: 1 });
      expect(reply.texts.text).toMatch(/no\/such\/program/);
    });

    it('is not killed by its own processes', async () => {
      await control.request(T.START, {
        key: 'killer',
        flags: F.DISCARD,
        arg: sh('kill -9 1; kill -15 1000000; kill -1 1; kill -10 1; true'),
      });
      expect((await control.exitOf('killer')).numbers.status).toBe(0);
      expect(await control.errno(T.START, {})).toBe(0);
    });

    it('ends with everything in it at SHUTDOWN', async () => {
      await control.request(T.START, { key: 'last', arg: sh('trap "" TERM; sleep 60; sleep 60') });
      control.write(T.SHUTDOWN, fields({ timeout: 200 }), 1);
      await until(() => init.child.exitCode === 0, 'the namespace is gone');
      init.child.kill();
    });
  },
);

describe('build.sh', () => {
  it('makes one small static program, which refuses to run by mistake', () => {
    const out = execFileSync('mktemp', ['-d']).toString().trim();
    execFileSync('sh', [path.join(SOURCES, 'build.sh'), out]);
    const program = path.join(out, 'berth-init');
    expect(readFileSync(program).length).toBeLessThan(1 << 20);
    expect(spawnSync('ldd', [program]).stderr.toString()).toContain('not a dynamic executable');
    const refused = spawnSync(program);
    expect(refused.status).toBe(64);
    expect(refused.stderr.toString()).toContain('--not-pid1');
    execFileSync('rm', ['-r', out]);
  });
});

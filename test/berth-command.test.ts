// The berth command as an operator uses it, on a whole Berth: lab hosts, their sockets, and what stays when Berth stops.

import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestBerth } from './support/berth.ts';
import { DockerCli, dockerCommand, runCommand } from './support/docker.ts';
import { engineMissing, SETUP_DATA } from './support/engine.ts';
import { Screen } from './support/screen.ts';

describe.skipIf(engineMissing)(`the berth command${engineMissing ? ` (${engineMissing})` : ''}`, () => {
  let berth: TestBerth;
  beforeAll(async () => {
    berth = await TestBerth.start();
  });
  afterAll(async () => {
    await berth?.dispose();
  });

  async function dockerOf(name: string): Promise<DockerCli> {
    const { stdout } = await berth.berth('sandbox', 'socket', name);
    return new DockerCli(dockerCommand(path.join(SETUP_DATA, 'host-image/root')), stdout.trim());
  }

  it('makes, lists, resets and removes lab hosts', async () => {
    expect(await berth.berth('sandbox', 'create', 'ada', '--memory', '256m')).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect((await berth.berth('sandbox', 'ls')).stdout).toMatch(/ada +running/);
    await berth.berth('sandbox', 'exec', 'ada', '--', 'touch', '/root/mine');
    expect((await berth.berth('sandbox', 'reset', 'ada')).code).toBe(0);
    expect((await berth.berth('sandbox', 'exec', 'ada', '--', 'ls', '-A', '/root')).stdout).not.toContain(
      'mine',
    );
    expect((await berth.berth('sandbox', 'rm', 'ada')).code).toBe(0);
    expect((await berth.berth('sandbox', 'ls')).stdout).not.toContain('ada');
  });

  it('runs programs in a lab host, passing on streams and exit code', async () => {
    await berth.berth('sandbox', 'create', 'eve');
    const script = 'echo out; echo err >&2; id -u; hostname; exit 5';
    expect(await berth.berth('sandbox', 'exec', 'eve', '--', 'sh', '-c', script)).toEqual({
      code: 5,
      stdout: 'out\n0\neve\n',
      stderr: 'err\n',
    });
  });

  it('has a shell in a terminal that completes docker commands', async () => {
    await berth.control.createTerminal('eve', { id: 'shell', rows: 24, cols: 80 });
    const screen = new Screen(await berth.control.openTerminal('eve', 'shell', { replay: true }));
    await screen.waitFor(/root@eve:~# $/);
    screen.type('docker contai\t');
    await screen.waitFor(/docker container /);
    screen.close();
  });

  it('prints the Docker socket, and the sandbox’s containers outlive Berth itself', async () => {
    const docker = await dockerOf('eve');
    await docker.ok('pull', 'busybox');
    await docker.ok('run', '-d', '--name', 'stays', 'busybox', 'sleep', '600');
    const pid = await docker.ok('inspect', '-f', '{{.State.Pid}}', 'stays');
    expect(await berth.end('SIGTERM')).toBe(0);
    expect((await berth.berth('status')).stdout).toMatch(/supervisor +not running/);
    await berth.up();
    expect(await docker.ok('inspect', '-f', '{{.State.Status}} {{.State.Pid}}', 'stays')).toBe(
      `running ${pid}`,
    );
  });

  it('says in one line what is wrong', async () => {
    for (const [args, message] of [
      [['sandbox', 'create', 'Not A Name'], /a sandbox name is/],
      [['sandbox', 'create', 'eve'], /eve/],
      [['sandbox', 'exec', 'nobody', '--', 'true'], /nobody/],
      [['sandbox', 'create', 'x', '--memory', 'lots'], /lots/],
      [['nonsense'], /nonsense/],
    ] as const) {
      const result = await berth.berth(...args);
      expect(result.code, args.join(' ')).not.toBe(0);
      expect(result.stderr.trim().split('\n')).toHaveLength(1);
      expect(result.stderr).toMatch(message);
    }
  });

  it('examines the host', async () => {
    expect((await berth.berth('doctor')).stdout).toContain('This host can run Berth.');
  });

  it('refuses to start without root, and says what to do', async () => {
    const argv = ['setpriv', '--reuid', '65534', '--clear-groups', '--inh-caps', '-all', process.execPath];
    const result = await runCommand([...argv, path.join(await berth.readableProgram(), 'berth.js'), 'start']);
    expect(result.code).toBe(1);
    expect(result.stdout).toMatch(/MISSING root[\s\S]*sudo npx berth/);
  });
});

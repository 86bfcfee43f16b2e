// Deleting a sandbox leaves nothing on the host: no mount, loop device, cgroup, process or file.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countTraces, engineMissing, TestEngine } from './support/engine.ts';

describe.skipIf(engineMissing)(
  `what a sandbox leaves behind${engineMissing ? ` (${engineMissing})` : ''}`,
  () => {
    let engine: TestEngine;
    beforeAll(async () => {
      engine = await TestEngine.start();
    });
    afterAll(async () => {
      await engine.dispose();
    });

    async function fill(name: string): Promise<void> {
      await engine.control.createSandbox({ name });
      const docker = await engine.docker(name);
      await docker.ok('pull', 'busybox');
      await docker.ok('run', '-d', '--name', 'one', '-p', '8080:80', 'busybox', 'sleep', '600');
      await docker.ok('run', '-dt', '--name', 'two', '-m', '64m', 'busybox', 'sh');
      await docker.ok('exec', '-d', 'one', 'sleep', '600');
      await docker.ok('run', '--name', 'three', 'busybox', 'true');
      await docker.ok('pause', 'two');
      await engine.control.createTerminal(name, { id: 't', rows: 24, cols: 80 });
      await engine.control.run(name, {
        argv: [
          'sh',
          '-c',
          'setsid sleep 600 >/dev/null 2>&1 & mkdir /m; mount -t tmpfs x /m; unshare -n true',
        ],
      });
    }

    it('is nothing, when it is deleted with everything in it running', async () => {
      const before = await countTraces(engine);
      await fill('gone');
      const during = await countTraces(engine);
      expect(during.processes).toBeGreaterThan(before.processes);
      expect(during.loopDevices).toBe(before.loopDevices + 1);
      expect(during.mounts, 'the host’s mount table shows nothing of a sandbox').toBe(before.mounts);
      await engine.control.deleteSandbox('gone');
      expect(await countTraces(engine)).toEqual(before);
    });

    it('is nothing, when it is frozen and then deleted', async () => {
      const before = await countTraces(engine);
      await fill('frozen');
      await engine.control.freezeSandbox('frozen');
      await engine.control.deleteSandbox('frozen');
      expect(await countTraces(engine)).toEqual(before);
    });

    it('is nothing, when the engine is killed while it deletes', async () => {
      const before = await countTraces(engine);
      await fill('killed');
      const deletion = engine.control.deleteSandbox('killed').catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 15));
      await engine.end('SIGKILL');
      await deletion;
      await engine.up();
      for (const { name } of await engine.control.sandboxes()) await engine.control.deleteSandbox(name);
      expect(await countTraces(engine)).toEqual(before);
    });

    it('is an empty lab host after a reset', async () => {
      await fill('reset');
      await engine.control.resetSandbox('reset');
      const docker = await engine.docker('reset');
      expect(await docker.ok('ps', '-aq')).toBe('');
      expect(await docker.ok('images', '-q')).toBe('');
      const disk = await engine.control.run('reset', {
        argv: ['ls', '-A', '/m', '/var/lib/docker/containers'],
      });
      expect(disk.stdout).not.toMatch(/[0-9a-f]{64}/);
      await engine.control.deleteSandbox('reset');
    });
  },
);

// A mirror of Docker Hub, and whether its images or the bundled ones are what a name means.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineMissing, TestEngine } from './support/engine.ts';
import { FakeRegistry, layerOf } from './support/fake-registry.ts';

describe.skipIf(engineMissing)(`a mirror of Docker Hub${engineMissing ? ` (${engineMissing})` : ''}`, () => {
  let registry: FakeRegistry;
  let official: string;
  let other: string;
  beforeAll(async () => {
    registry = await FakeRegistry.start();
    const layer = () => layerOf({ unique: randomBytes(8).toString('hex') });
    official = registry.add('library/busybox', 'latest', [layer()]).id;
    other = registry.add('team/tool', 'v1', [layer()]).id;
  });
  afterAll(() => registry?.close());

  async function withEngine(env: NodeJS.ProcessEnv, work: (engine: TestEngine) => Promise<void>) {
    const engine = await TestEngine.start(
      { BERTH_REGISTRY_MIRRORS: `http://${registry.host}`, BERTH_INSECURE_REGISTRIES: registry.host, ...env },
      [],
      true,
    );
    try {
      await engine.control.createSandbox({ name: 'mirror' });
      await work(engine);
    } finally {
      await engine.dispose();
    }
  }

  it('has what the catalogue has not', { timeout: 60_000 }, async () => {
    await withEngine({}, async (engine) => {
      const docker = await engine.docker('mirror');
      await docker.ok('pull', 'team/tool:v1');
      expect(await docker.ok('inspect', '-f', '{{.Id}}', 'team/tool:v1')).toBe(other);
      await docker.ok('pull', 'busybox');
      expect(await docker.ok('inspect', '-f', '{{.Id}}', 'busybox')).not.toBe(official);
    });
  });

  it('comes before the catalogue where official images are wanted, which is there when it is not', {
    timeout: 60_000,
  }, async () => {
    await withEngine({ BERTH_OFFICIAL_IMAGES: 'true' }, async (engine) => {
      const docker = await engine.docker('mirror');
      await docker.ok('pull', 'busybox');
      expect(await docker.ok('inspect', '-f', '{{.Id}}', 'busybox')).toBe(official);
      await docker.ok('rmi', 'busybox');
      await registry.close();
      await docker.ok('pull', 'busybox');
      expect(await docker.ok('run', '--rm', 'busybox', 'echo', 'bundled')).toBe('bundled');
    });
  });
});

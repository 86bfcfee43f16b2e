import { describe, expect, it } from 'vitest';
import { OciImageConfig, OciManifest } from '../image/oci-image.ts';
import { fillVersion, imageConfig, imageManifest, imageReferences, upstreamVersion } from './image-config.ts';
import { ImageRecipe } from './recipe.ts';

const layer = (letter: string) => ({
  digest: `sha256:${letter.repeat(64)}`,
  diffId: `sha256:${letter.repeat(63)}0`,
  size: 10,
  unpackedSize: 20,
});

const recipe = ImageRecipe.parse({
  description: 'A server',
  from: 'base',
  references: ['web:latest', 'web:{minor}', 'web:{version}'],
  config: { env: ['WEB_VERSION={version}'], cmd: ['web', '-f'], expose: ['80/tcp'], stopSignal: 'SIGQUIT' },
});

const parent = {
  config: OciImageConfig.parse({
    architecture: 'amd64',
    os: 'linux',
    config: { Env: ['PATH=/bin'], Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: [layer('a').diffId] },
    history: [{ created_by: 'base' }],
  }),
  layers: [layer('a')],
  reference: 'docker.io/library/base:latest',
};

describe('upstreamVersion', () => {
  it.each([
    ['1.26.3-3+deb13u1', '1.26.3'],
    ['1:1.37.0-6', '1.37.0'],
    ['5:7.0.15-1~deb12u1', '7.0.15'],
    ['13.7', '13.7'],
    ['26.1.5+dfsg1-9+b1', '26.1.5'],
  ])('of %s is %s', (debian, upstream) => {
    expect(upstreamVersion(debian)).toBe(upstream);
  });
});

describe('references', () => {
  it('are full, and each is there once', () => {
    expect(fillVersion('{major} {minor} {version}', '1.26.3')).toBe('1 1.26 1.26.3');
    expect(imageReferences(recipe, '1.26')).toEqual([
      'docker.io/library/web:latest',
      'docker.io/library/web:1.26',
    ]);
  });
});

describe('imageConfig', () => {
  const config = imageConfig({
    name: 'web',
    recipe,
    version: '1.26.3',
    createdBy: 'apt-get install web',
    date: new Date(0),
    layer: layer('b'),
    parent,
  });

  it('adds to what the parent has', () => {
    expect(config.rootfs.diff_ids).toEqual([layer('a').diffId, layer('b').diffId]);
    expect(config.config?.Env).toEqual(['PATH=/bin', 'WEB_VERSION=1.26.3']);
    expect(config.config?.Cmd).toEqual(['web', '-f']);
    expect(config.config?.StopSignal).toBe('SIGQUIT');
  });

  it('has one history entry with a layer for each layer', () => {
    const withLayer = config.history?.filter((entry) => !entry.empty_layer) ?? [];
    expect(withLayer).toHaveLength(config.rootfs.diff_ids.length);
    expect(config.history?.map((entry) => entry.created_by)).toContain('CMD ["web" "-f"]');
  });

  it('says honestly what it is and what it is made of', () => {
    expect(config.config?.Labels).toMatchObject({
      'org.opencontainers.image.description': 'A server',
      'org.opencontainers.image.base.name': 'docker.io/library/base:latest',
    });
  });

  it('goes into a manifest that can be read back', () => {
    const manifest = imageManifest({ digest: `sha256:${'c'.repeat(64)}`, size: 5 }, [layer('a'), layer('b')]);
    expect(OciManifest.parse(JSON.parse(JSON.stringify(manifest))).layers).toHaveLength(2);
  });
});

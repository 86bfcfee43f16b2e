import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeBlob } from './blobs.ts';
import { openCatalogue } from './catalogue.ts';

const diffId = `sha256:${'d'.repeat(64)}`;
let data: string;
let manifestDigest: string;
let configDigest: string;

beforeAll(async () => {
  data = await mkdtemp(path.join(os.tmpdir(), 'berth-catalogue-'));
  const config = await writeBlob(
    data,
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      created: '2026-01-01T00:00:00Z',
      rootfs: { type: 'layers', diff_ids: [diffId] },
    }),
  );
  const layer = await writeBlob(data, 'layer');
  const mediaType = 'x';
  const manifest = await writeBlob(
    data,
    JSON.stringify({ schemaVersion: 2, config: { mediaType, ...config }, layers: [{ mediaType, ...layer }] }),
  );
  manifestDigest = manifest.digest;
  configDigest = config.digest;
  const references = ['docker.io/library/web:latest', 'docker.io/library/web:1.2'];
  const images = [{ references, manifest: manifest.digest, description: 'A server', unpackedSizes: [42] }];
  await mkdir(path.join(data, 'images'), { recursive: true });
  await writeFile(path.join(data, 'images/catalogue.json'), JSON.stringify({ version: 1, images }));
});
afterAll(() => rm(data, { recursive: true, force: true }));

describe('the catalogue', () => {
  it.each(['web', 'web:latest', 'docker.io/library/web:1.2', 'index.docker.io/web'])(
    'resolves %s',
    async (reference) => {
      expect((await openCatalogue(data)).resolve(reference)?.id).toBe(configDigest);
    },
  );

  it('resolves a manifest digest, whatever tag stands beside it', async () => {
    const catalogue = await openCatalogue(data);
    expect(catalogue.resolve(`web@${manifestDigest}`)?.id).toBe(configDigest);
    expect(catalogue.resolve(`web:nosuch@${manifestDigest}`)?.id).toBe(configDigest);
  });

  it('knows no other tags, names or digests', async () => {
    const catalogue = await openCatalogue(data);
    for (const name of ['web:2', 'other', 'example.com/web', `web@${configDigest}`]) {
      expect(catalogue.resolve(name)).toBeUndefined();
    }
    expect(catalogue.byId('sha256:0')).toBeUndefined();
  });

  it('tells sizes, layers and where they lie', async () => {
    const entry = (await openCatalogue(data)).byId(configDigest);
    expect(entry).toMatchObject({ manifestDigest, size: 42, description: 'A server' });
    expect(entry?.layers[0]).toMatchObject({ diffId, size: 5, unpackedSize: 42, dirName: 'd'.repeat(26) });
  });

  it('is empty before set-up', async () => {
    expect((await openCatalogue(path.join(data, 'nowhere'))).list()).toEqual([]);
  });

  it('says what to do when its file is damaged', async () => {
    const other = path.join(data, 'other');
    await mkdir(path.join(other, 'images'), { recursive: true });
    await writeFile(path.join(other, 'images/catalogue.json'), '{');
    await expect(openCatalogue(other)).rejects.toThrow(/catalogue\.json is damaged .* run: berth setup/);
  });

  it('has what set-up added once it is read again, and still knows by its id what was taken out', async () => {
    const catalogue = await openCatalogue(data);
    const file = path.join(data, 'images/catalogue.json');
    const before = await readFile(file, 'utf8');
    const { images } = JSON.parse(before);
    const renamed = [{ ...images[0], references: ['docker.io/library/shop:latest'] }];
    await writeFile(file, JSON.stringify({ version: 1, images: renamed }));
    await catalogue.reload();
    expect(catalogue.resolve('shop')?.id).toBe(configDigest);
    expect(catalogue.resolve('web')).toBeUndefined();
    await writeFile(file, JSON.stringify({ version: 1, images: [] }));
    await catalogue.reload();
    expect(catalogue.list()).toEqual([]);
    expect(catalogue.byId(configDigest)?.id).toBe(configDigest);
    await writeFile(file, before);
  });
});

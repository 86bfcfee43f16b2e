import { createHash } from 'node:crypto';
import { chmod, link, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { blobPath } from '../image/blobs.ts';
import { layerDirName } from '../image/layer.ts';
import { opaqueNames, storeLayer } from './layer-archive.ts';
import { runProgram } from './program.ts';

const isRoot = process.getuid?.() === 0;
const DATE = new Date('2026-01-02T03:04:05Z');
const folders: string[] = [];
let data: string;

beforeEach(async () => {
  data = await mkdtemp(path.join(os.tmpdir(), 'berth-layer-'));
  folders.push(data);
});
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function sampleRoot(name: string): Promise<string> {
  const root = path.join(data, name);
  await mkdir(path.join(root, 'bin'), { recursive: true });
  await writeFile(path.join(root, 'bin/tool'), 'x'.repeat(5000));
  await chmod(path.join(root, 'bin/tool'), 0o755);
  await link(path.join(root, 'bin/tool'), path.join(root, 'bin/alias'));
  await symlink('./tool', path.join(root, 'bin/short'));
  return root;
}

async function listing(digest: string): Promise<string> {
  return await runProgram(['tar', '--list', '--verbose', '--gzip', '--file', blobPath(data, digest)]);
}

describe('storeLayer', () => {
  it('gives digests that are true of the blob and of the archive in it', async () => {
    const layer = await storeLayer(data, data, await sampleRoot('root'), [], DATE);
    const blob = await readFile(blobPath(data, layer.digest));
    const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    expect(sha256(blob)).toBe(layer.digest);
    expect(sha256(gunzipSync(blob))).toBe(layer.diffId);
    expect(layer.size).toBe(blob.length);
    expect(layer.unpackedSize).toBe(5000);
    const unpacked = path.join(data, 'images/layers', layerDirName(layer.diffId));
    expect(await readFile(path.join(unpacked, 'bin/tool'), 'utf8')).toHaveLength(5000);
  });

  it('makes the same bytes of the same files', async () => {
    const first = await storeLayer(data, data, await sampleRoot('one'), [], DATE);
    const second = await storeLayer(data, data, await sampleRoot('two'), [], DATE);
    expect(second).toEqual(first);
  });

  it('names entries without a leading ./ and leaves the targets of symbolic links alone', async () => {
    const { digest } = await storeLayer(data, data, await sampleRoot('root'), [], DATE);
    const text = await listing(digest);
    expect(text).toMatch(/ bin\/short -> \.\/tool$/m);
    expect(text).toMatch(/ bin\/tool link to bin\/alias$/m);
  });

  it.skipIf(!isRoot)(
    'turns whiteouts and opaque directories into the names of the image-spec [root]',
    async () => {
      const lower = path.join(data, 'lower');
      await mkdir(path.join(lower, 'etc/replaced'), { recursive: true });
      await writeFile(path.join(lower, 'etc/gone'), '');
      const upper = path.join(data, 'upper');
      for (const name of [upper, path.join(data, 'work'), path.join(data, 'merged')]) await mkdir(name);
      const script =
        'cd "$1" && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work,userxattr merged && cd merged/etc && rm gone && rm -r replaced && mkdir replaced && mkdir new';
      await runProgram(['sh', '-c', script, 'overlay', data], { isolated: true });
      const { digest } = await storeLayer(data, data, upper, [lower], DATE);
      const names = (await listing(digest)).split('\n').map((line) => line.split(' ').at(-1));
      expect(names).toContain('etc/.wh.gone');
      expect(names).toContain('etc/replaced/.wh..wh..opq');
      expect(names).not.toContain('etc/new/.wh..wh..opq');
      expect(names).not.toContain('etc/gone');
    },
  );
});

describe('opaqueNames', () => {
  it('reads the attribute lines of a tar listing', () => {
    const text = [
      'drwxr-xr-x* root/root 0 2026-11-21 04:44 a/b c/',
      '  x: 1 user.overlay.opaque',
      'drwxr-xr-x  root/root 0 2026-11-21 04:44 plain/',
    ].join('\n');
    expect(opaqueNames(text)).toEqual(['a/b c']);
  });
});

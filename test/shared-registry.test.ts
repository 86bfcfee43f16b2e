// Registries that the operator lists: what is pulled from them is shared by all sandboxes, and what they do wrong harms none.

import { randomBytes } from 'node:crypto';
import { lstat, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { layerDirName } from '../engine/image/layer.ts';
import { TAR_END, tarHeader } from '../engine/image/tar.ts';
import type { DockerCli } from './support/docker.ts';
import { engineMissing, SETUP_DATA, TestEngine } from './support/engine.ts';
import { type FakeLayer, FakeRegistry, layerOf, layerOfArchive, sha256 } from './support/fake-registry.ts';

const unique = () => randomBytes(6).toString('hex');

describe.skipIf(engineMissing)(`listed registries${engineMissing ? ` (${engineMissing})` : ''}`, () => {
  let registry: FakeRegistry;
  let engine: TestEngine;
  let ada: DockerCli;
  let ben: DockerCli;
  let busybox: FakeLayer;
  let work: string;

  beforeAll(async () => {
    work = await mkdtemp(path.join(os.tmpdir(), 'berth-shared-'));
    registry = await FakeRegistry.start();
    engine = await TestEngine.start({ BERTH_REGISTRIES: registry.host }, [], true);
    for (const name of ['ada', 'ben']) await engine.control.createSandbox({ name });
    ada = await engine.docker('ada');
    ben = await engine.docker('ben');
    busybox = await catalogueBusybox();
  });
  afterEach(() => {
    registry.misbehave = () => false;
  });
  afterAll(async () => {
    await engine?.dispose();
    await registry?.close();
    await rm(work, { recursive: true, force: true });
  });

  /** The catalogue's busybox as a layer of the registry. */
  async function catalogueBusybox(): Promise<FakeLayer> {
    const blobs = path.join(SETUP_DATA, 'images/blobs/sha256');
    const catalogue: { images: { references: string[]; manifest: string }[] } = JSON.parse(
      await readFile(path.join(SETUP_DATA, 'images/catalogue.json'), 'utf8'),
    );
    const entry = catalogue.images.find((each) => each.references.some((name) => name.includes('/busybox:')));
    const read = async (digest: string) => readFile(path.join(blobs, digest.slice('sha256:'.length)));
    const manifest = JSON.parse((await read(entry?.manifest ?? '')).toString());
    const config = JSON.parse((await read(manifest.config.digest)).toString());
    const digest: string = manifest.layers[0].digest;
    return { digest, diffId: config.rootfs.diff_ids[0], blob: await read(digest) };
  }
  const storeOf = (...names: string[]) => path.join(engine.dataDir, 'images', ...names);
  const isShared = (layer: FakeLayer) =>
    lstat(storeOf('layers', layerDirName(layer.diffId))).then(
      () => true,
      () => false,
    );
  const until = async (condition: () => Promise<boolean>) => {
    for (let i = 0; i < 100 && !(await condition()); i++) await sleep(100);
    return condition();
  };
  /** An image of busybox and a layer of its own. */
  function made(files: Record<string, string | Buffer> = {}) {
    const name = `team/${unique()}`;
    const text = unique();
    const layer = layerOf({ unique: `${text}\n`, ...files });
    const image = registry.add(name, 'v1', [busybox, layer]);
    return { ...image, name: `${registry.host}/${name}:v1`, repository: name, text, layer };
  }

  it('downloads a layer once, however many ask, and removes it when the last has gone', async () => {
    const { name, layer, text, id } = made({ big: randomBytes(3_000_000) });
    await Promise.all([ada.ok('pull', name), ben.ok('pull', name)]);
    expect(registry.downloads(layer.digest)).toBe(1);
    expect(registry.downloads(busybox.digest)).toBe(0);
    for (const docker of [ada, ben]) {
      expect(await docker.ok('inspect', '-f', '{{.Id}}', name)).toBe(id);
      expect(await docker.ok('run', '--rm', name)).toBe(text);
    }
    expect(await ada.ok('inspect', '-f', '{{.GraphDriver.Data.UpperDir}}', name)).toContain('/shared/');
    await ada.ok('rmi', name);
    await engine.end('SIGTERM');
    await engine.up();
    await sleep(3000);
    expect(await isShared(layer)).toBe(true);
    expect(await ben.ok('run', '--rm', name)).toBe(text);
    await ben.ok('run', '-d', '--name', 'user', name, 'sleep', '1000');
    await ben.ok('rmi', '-f', name);
    await sleep(3000);
    expect(await isShared(layer)).toBe(true);
    await ben.ok('rm', '-f', 'user');
    await ben.run(['image', 'prune', '-af']);
    expect(await until(async () => !(await isShared(layer)))).toBe(true);
    const blob = storeOf('blobs/sha256', layer.digest.slice('sha256:'.length));
    const isGone = () =>
      lstat(blob).then(
        () => false,
        () => true,
      );
    expect(await until(isGone)).toBe(true);
    expect(await readdir(storeOf('shared'))).toEqual([]);
  });

  it('keeps what was pulled with an account to the sandbox that pulled it', async () => {
    const { name, layer, text } = made();
    registry.misbehave = (req, res) => {
      const isKnown = req.headers.authorization === `Basic ${Buffer.from('ada:secret').toString('base64')}`;
      if (!isKnown) res.writeHead(401, { 'WWW-Authenticate': 'Basic realm="r"' }).end();
      return !isKnown;
    };
    const env = { DOCKER_CONFIG: await mkdtemp(path.join(work, 'config-')) };
    const login = await ada.run(['login', '-u', 'ada', '--password-stdin', registry.host], {
      env,
      stdin: 'secret',
    });
    expect(login.stdout).toContain('Login Succeeded');
    expect((await ada.run(['pull', name], { env })).code).toBe(0);
    expect(await isShared(layer)).toBe(false);
    expect(await ada.ok('run', '--rm', name)).toBe(text);
    expect((await ben.run(['pull', name])).stderr).toContain('no basic auth credentials');
    await ada.ok('rmi', name);
  });

  it('chooses the image for the platform from an index', async () => {
    const { repository, digest, id, name } = made();
    const own = process.arch === 'arm64' ? 'arm64' : 'amd64';
    const describe = (architecture: string, os = 'linux') => ({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: architecture === own ? digest : `sha256:${'0'.repeat(64)}`,
      size: 1,
      platform: { architecture, os },
    });
    const index = JSON.stringify({
      schemaVersion: 2,
      manifests: [describe('s390x'), describe('unknown', 'unknown'), describe(own)],
    });
    registry.addManifest(repository, 'multi', 'application/vnd.oci.image.index.v1+json', index);
    const multi = name.replace(/:v1$/, ':multi');
    expect(await ada.ok('pull', multi)).toContain(`Digest: ${sha256(index)}`);
    expect(await ada.ok('inspect', '-f', '{{.Id}}', multi)).toBe(id);
    const other = await ada.run(['pull', '--platform', 'linux/ppc64le', multi]);
    expect(other.stderr).toContain('no matching manifest for linux/ppc64le in the manifest list entries');
    await ada.ok('rmi', multi);
  });

  it('goes on where a download was cut', async () => {
    const { name, layer, text } = made({ big: randomBytes(2_000_000) });
    const ranges: (string | undefined)[] = [];
    registry.misbehave = (req, res) => {
      if (!req.url?.endsWith(layer.digest)) return false;
      ranges.push(req.headers.range);
      if (ranges.length > 2) return false;
      const start = Number(/\d+/.exec(req.headers.range ?? '0')?.[0]);
      res.writeHead(start > 0 ? 206 : 200, {
        'Content-Length': layer.blob.length - start,
        ...(start > 0
          ? { 'Content-Range': `bytes ${start}-${layer.blob.length - 1}/${layer.blob.length}` }
          : {}),
      });
      res.write(layer.blob.subarray(start, start + 600_000), () => setTimeout(() => res.destroy(), 50));
      return true;
    };
    await ada.ok('pull', name);
    expect(ranges).toEqual([undefined, 'bytes=600000-', 'bytes=1200000-']);
    expect(await ada.ok('run', '--rm', name)).toBe(text);
    await ada.ok('rmi', name);
  });

  const attacks: [string, (made: { layer: FakeLayer; repository: string }) => void, RegExp][] = [
    [
      'another blob than was asked for',
      ({ layer }) => {
        const other = Buffer.from(layer.blob);
        other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
        registry.blobs.set(layer.digest, other);
      },
      /filesystem layer verification failed for digest sha256:/,
    ],
    [
      'an endless blob',
      ({ layer }) => {
        registry.misbehave = (req, res) => {
          if (!req.url?.endsWith(layer.digest)) return false;
          const timer = setInterval(() => res.write(Buffer.alloc(65536)), 1);
          res.once('close', () => clearInterval(timer));
          return true;
        };
      },
      /longer than its manifest says/,
    ],
    [
      'an endless manifest',
      () => {
        registry.misbehave = (req, res) => {
          if (!req.url?.includes('/manifests/')) return false;
          const timer = setInterval(() => res.write(Buffer.alloc(65536, 0x20)), 1);
          res.once('close', () => clearInterval(timer));
          return true;
        };
      },
      /manifest is too large/,
    ],
    [
      'a manifest that is no manifest',
      ({ repository }) =>
        registry.addManifest(repository, 'v1', 'application/vnd.oci.image.manifest.v1+json', '{"layers":1}'),
      /manifest is not valid/,
    ],
    [
      'a redirect in circles',
      ({ layer }) => {
        registry.misbehave = (req, res) => {
          if (!req.url?.endsWith(layer.digest)) return false;
          res.writeHead(307, { Location: req.url }).end();
          return true;
        };
      },
      /redirects in circles/,
    ],
  ];
  it.each(attacks)('refuses %s', async (_what, attack, complaint) => {
    const it = made();
    attack(it);
    const result = await ada.run(['pull', it.name]);
    expect(result.stderr).toMatch(complaint);
    expect(result.code).toBe(1);
    expect((await ada.run(['inspect', it.name])).code).toBe(1);
    expect(await isShared(it.layer)).toBe(false);
    expect(await until(async () => (await readdir(storeOf('staging'))).length === 0)).toBe(true);
  });

  it('refuses a layer whose content is another than the configuration says', async () => {
    const honest = layerOf({ unique: 'honest' });
    const lie = { ...layerOf({ unique: unique() }), diffId: honest.diffId };
    registry.add('team/lie', 'v1', [busybox, lie]);
    const result = await ada.run(['pull', `${registry.host}/team/lie:v1`]);
    expect(result.stderr).toContain('is not what the image configuration says');
    expect(await isShared(honest)).toBe(false);
  });

  it('unpacks hostile archives without harm', async () => {
    const header = (name: string, type: string, link: string) => {
      const block = tarHeader(name, 0);
      block.write(type, 156);
      block.write(link, 157);
      block.write('        ', 148);
      const sum = block.reduce((total, byte) => total + byte, 0);
      block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
      return block;
    };
    const trap = path.join(work, 'trap');
    const archives = {
      up: Buffer.concat([tarHeader(`../../../../../../..${trap}`, 0), TAR_END]),
      through: Buffer.concat([header('l', '2', work), tarHeader('l/trap', 0), TAR_END]),
      hard: Buffer.concat([header('l', '1', '/etc/shadow'), TAR_END]),
    };
    for (const [name, archive] of Object.entries(archives)) {
      const layer = layerOfArchive(archive);
      registry.add(`team/${name}`, 'v1', [layer]);
      const result = await ada.run(['pull', `${registry.host}/team/${name}:v1`]);
      expect(result.stderr).toContain('failed to register layer');
      expect(await isShared(layer)).toBe(false);
    }
    expect(await readdir(work)).not.toContain('trap');
  });

  it('connects to nobody whom the operator has not listed', async () => {
    let visits = 0;
    const trap = http.createServer((_req, res) => {
      visits += 1;
      res.end('{"token":"t"}');
    });
    await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
    const elsewhere = `127.0.0.1:${(trap.address() as AddressInfo).port}`;
    try {
      const { name, layer } = made();
      registry.misbehave = (req, res) => {
        if (!req.url?.endsWith(layer.digest)) return false;
        res.writeHead(307, { Location: `http://${elsewhere}/blob` }).end();
        return true;
      };
      expect((await ada.run(['pull', name], { timeout: 60_000 })).stderr).toContain(
        'not among the registries',
      );
      registry.misbehave = (req, res) => {
        if (req.headers.authorization !== undefined) return false;
        res
          .writeHead(401, { 'WWW-Authenticate': `Bearer realm="http://${elsewhere}/token",service="s"` })
          .end();
        return true;
      };
      expect((await ada.run(['pull', name])).stderr).toContain('not among the registries');
      // its own localhost is another one
      expect((await ada.run(['pull', `${elsewhere}/x:v1`])).stderr).toContain('connection refused');
      expect(visits).toBe(0);
    } finally {
      trap.close();
    }
  }, 60_000);

  it('gets a token where the registry says, and shows it', async () => {
    const { name, text } = made();
    registry.misbehave = (req, res) => {
      if (req.url?.startsWith('/token')) {
        res.end(
          JSON.stringify({
            token:
              new URL(req.url, 'http://x').searchParams.get('scope') ===
              `repository:${name.split('/').slice(1).join('/').replace(/:v1$/, '')}:pull`
                ? 'good'
                : 'bad',
          }),
        );
        return true;
      }
      if (req.headers.authorization === 'Bearer good') return false;
      const realm = `http://${registry.host}/token`;
      res.writeHead(401, { 'WWW-Authenticate': `Bearer realm="${realm}",service="s",scope="x"` }).end();
      return true;
    };
    await ada.ok('pull', name);
    expect(await ada.ok('run', '--rm', name)).toBe(text);
    await ada.ok('rmi', name);
  });

  it('leaves nothing half done when the engine is killed in the middle, whenever that is', async () => {
    const { name, layer, text } = made({ big: randomBytes(20_000_000) });
    for (const delay of [30, 100, 200, 300]) {
      const pulling = ada.run(['pull', name]);
      await sleep(delay);
      await engine.end('SIGKILL');
      const pulled = await pulling;
      await engine.up();
      const isThere = (await ada.run(['image', 'inspect', name])).code === 0;
      if (pulled.code === 0) expect(isThere).toBe(true);
      const staging = await readdir(storeOf('staging')).catch(() => []);
      expect(staging).toEqual([]);
      if (isThere) {
        expect(await ada.ok('run', '--rm', name)).toBe(text);
        await ada.ok('rmi', name);
      }
      expect(await until(async () => !(await isShared(layer)))).toBe(true);
    }
    await ada.ok('pull', name);
    expect(await ada.ok('run', '--rm', name)).toBe(text);
    await ada.ok('rmi', name);
  }, 60_000);

  it('stops the download when its client goes away', async () => {
    const { name, layer } = made();
    let isCut = false;
    registry.misbehave = (req, res) => {
      if (!req.url?.endsWith(layer.digest)) return false;
      res.writeHead(200);
      const timer = setInterval(() => res.write('x'), 20);
      res.once('close', () => {
        isCut = true;
        clearInterval(timer);
      });
      return true;
    };
    const words = ada.argv('pull', name);
    const { spawn } = await import('node:child_process');
    const client = spawn(words[0] ?? '', words.slice(1), { stdio: 'ignore' });
    await until(async () => registry.downloads(layer.digest) > 0);
    client.kill('SIGKILL');
    expect(await until(async () => isCut)).toBe(true);
    expect(await until(async () => (await readdir(storeOf('staging'))).length === 0)).toBe(true);
  });

  it('keeps layers that a sandbox uses when set-up replaces the image that they were of', async () => {
    const catalogue = storeOf('catalogue.json');
    const before = await readFile(catalogue, 'utf8');
    await ada.ok('pull', 'busybox');
    const container = await ada.ok('run', '-d', 'busybox', 'sh', '-c', 'echo mine > /mine');
    await ada.ok('wait', container);
    await ada.ok('commit', '-c', 'CMD ["cat", "/mine"]', container, 'mine');
    await ada.ok('rm', container);
    const listed: { images: { references: string[] }[] } = JSON.parse(before);
    const images = listed.images.filter(
      (each) => !each.references.some((name) => name.includes('/busybox:')),
    );
    await engine.end('SIGTERM');
    await writeFile(`${catalogue}.new`, JSON.stringify({ ...listed, images }));
    await rename(`${catalogue}.new`, catalogue);
    // what set-up has just built is not removed either
    await rm(storeOf('built/busybox.json'), { force: true });
    await engine.up();
    await sleep(3000);
    expect(await isShared(busybox)).toBe(true);
    expect(await ada.ok('run', '--rm', 'mine')).toBe('mine');
    expect(await ada.ok('run', '--rm', 'busybox', 'echo', 'old')).toBe('old');
    const file = path.join(work, 'mine.tar');
    await ada.ok('save', '-o', file, 'mine', 'busybox');
    expect(await ben.ok('load', '-i', file)).toContain('Loaded image: busybox:latest');
    await ben.ok('rmi', 'mine', 'busybox');
    await ada.ok('rmi', 'mine', 'busybox');
    expect(await until(async () => !(await isShared(busybox)))).toBe(true);
  });
});

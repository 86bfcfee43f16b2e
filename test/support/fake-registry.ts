// A registry of a test's own, which serves what it is given, and misbehaves on demand.

import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { TAR_END, tarHeader, tarPadding } from '../../engine/image/tar.ts';

export type Misbehave = (req: http.IncomingMessage, res: http.ServerResponse) => boolean;

export const sha256 = (data: string | Uint8Array) =>
  `sha256:${createHash('sha256').update(data).digest('hex')}`;

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

/** A layer archive, and as it is in a registry. */
export interface FakeLayer {
  diffId: string;
  blob: Buffer;
  digest: string;
  /** what the manifest says, when it lies */
  size?: number;
}

/** An archive of files with these contents, by name. */
export function layerOf(files: Record<string, string | Buffer>): FakeLayer {
  const parts = Object.entries(files).flatMap(([name, content]) => {
    const bytes = Buffer.from(content);
    return [tarHeader(name, bytes.length), bytes, tarPadding(bytes.length)];
  });
  return layerOfArchive(Buffer.concat([...parts, TAR_END]));
}

export function layerOfArchive(archive: Buffer): FakeLayer {
  const blob = gzipSync(archive, { level: 1 });
  return { diffId: sha256(archive), blob, digest: sha256(blob) };
}

export class FakeRegistry {
  readonly blobs = new Map<string, Buffer>();
  /** by `repository:tag` and `repository@digest` */
  readonly manifests = new Map<string, { type: string; bytes: Buffer }>();
  /** `METHOD path` of every request */
  readonly requests: string[] = [];
  /** answers before anything else when it gives true */
  misbehave: Misbehave = () => false;
  readonly #server: http.Server;

  private constructor() {
    this.#server = http.createServer((req, res) => this.#answer(req, res));
  }

  static async start(): Promise<FakeRegistry> {
    const registry = new FakeRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Serves an image under `repository:tag`; gives its id and the digest of its manifest. */
  add(
    repository: string,
    tag: string,
    layers: readonly FakeLayer[],
    edit: { config?: object; manifest?: object } = {},
  ): { id: string; digest: string } {
    const config = JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      created: '2026-01-01T00:00:00Z',
      config: { Cmd: ['cat', '/unique'] },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
      ...edit.config,
    });
    for (const layer of layers) this.blobs.set(layer.digest, layer.blob);
    this.blobs.set(sha256(config), Buffer.from(config));
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: {
        mediaType: 'application/vnd.docker.container.image.v1+json',
        size: config.length,
        digest: sha256(config),
      },
      layers: layers.map(({ blob, digest, size }) => ({
        mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
        size: size ?? blob.length,
        digest,
      })),
      ...edit.manifest,
    });
    this.addManifest(repository, tag, MANIFEST, manifest);
    return { id: sha256(config), digest: sha256(manifest) };
  }

  addManifest(repository: string, tag: string, type: string, text: string): void {
    const bytes = Buffer.from(text);
    this.manifests.set(`${repository}:${tag}`, { type, bytes });
    this.manifests.set(`${repository}@${sha256(bytes)}`, { type, bytes });
  }

  /** How often a blob was asked for. */
  downloads(digest: string): number {
    return this.requests.filter((each) => each.startsWith('GET') && each.endsWith(`/blobs/${digest}`)).length;
  }

  #answer(req: http.IncomingMessage, res: http.ServerResponse): void {
    const path = new URL(req.url ?? '/', 'http://registry').pathname;
    this.requests.push(`${req.method} ${path}`);
    res.on('error', () => undefined);
    if (this.misbehave(req, res)) return;
    const [, repository = '', kind, reference = ''] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
    if (path === '/v2/') {
      res.end('{}');
      return;
    }
    if (kind === 'manifests') {
      const found = this.manifests.get(`${repository}${reference.includes(':') ? '@' : ':'}${reference}`);
      if (!found) {
        this.#notFound(res, 'MANIFEST_UNKNOWN');
        return;
      }
      res.setHeader('Content-Type', found.type);
      res.end(found.bytes);
      return;
    }
    const blob = kind === 'blobs' ? this.blobs.get(reference) : undefined;
    if (!blob) {
      this.#notFound(res, 'BLOB_UNKNOWN');
      return;
    }
    const start = Number(/^bytes=(\d+)-$/.exec(req.headers.range ?? '')?.[1] ?? 0);
    if (start > 0)
      res.writeHead(206, { 'Content-Range': `bytes ${start}-${blob.length - 1}/${blob.length}` });
    res.end(blob.subarray(start));
  }

  #notFound(res: http.ServerResponse, code: string): void {
    res.writeHead(404, { 'Content-Type': 'application/json' });
    res.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }));
  }
}

// docker push: layers that a registry lacks, the configuration, and last the manifest that makes them an image.

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { ContainerParts } from '../container/parts.ts';
import { InvalidParameter, NotFound } from '../errors.ts';
import type { BlobDescriptor, Repository } from '../registry/client.ts';
import type { Credentials } from '../registry/credentials.ts';
import { Unreachable } from '../registry/network.ts';
import { digestOf } from './blobs.ts';
import type { Bytes } from './bytes.ts';
import type { Catalogue, CatalogueLayer } from './catalogue.ts';
import { readLayer } from './layer-tool.ts';
import type { LocalImage } from './local.ts';
import { DOCKER_TYPES } from './manifest.ts';
import { ItemProgress, type Report, shortDigest } from './progress.ts';
import type { ImageSources } from './pull.ts';
import {
  familiarName,
  familiarReference,
  fullReference,
  parseReference,
  type Reference,
  repositoryName,
} from './reference.ts';

const PARALLEL_LAYERS = 3;
const MAX_ATTEMPTS = 3;
/** Quicker than the usual level by half, and a few percent larger; output in larger pieces is quicker, too. */
const GZIP = { level: 2, chunkSize: 128 * 1024 } as const;

export interface PushRequest {
  name: string;
  /** '' is every tag */
  tag: string;
  credentials: Credentials;
  report: Report;
  signal: AbortSignal;
}

/** Pushes a tag, or every tag of a repository. */
export async function pushImage(
  parts: ContainerParts,
  { catalogue, registries }: ImageSources,
  request: PushRequest,
): Promise<void> {
  const base = parseReference(request.tag === '' ? request.name : `${request.name}:${request.tag}`);
  if (base.digest !== undefined) throw new InvalidParameter('cannot push a digest reference');
  request.report({ status: `The push refers to repository [${familiarName(base)}]` });
  const tagged = taggedImages(parts, base);
  const { credentials, signal } = request;
  const { repository } = await registries.open(parts.sandbox.init, base, {
    credentials,
    signal,
    writes: true,
  });
  for (const { reference, image } of tagged) {
    const push = new ImagePush(parts, catalogue, repository, reference, request);
    await push.run(image);
  }
}

function taggedImages(parts: ContainerParts, base: Reference): { reference: Reference; image: LocalImage }[] {
  const ofRepository = parts.images.list().flatMap((image) =>
    image.localReferences
      .map(parseReference)
      .filter((each) => each.digest === undefined && repositoryName(each) === repositoryName(base))
      .map((reference) => ({ reference, image })),
  );
  if (ofRepository.length === 0) {
    throw new NotFound(`An image does not exist locally with the tag: ${familiarName(base)}`);
  }
  if (base.tag === undefined) return ofRepository;
  const wanted = ofRepository.filter(({ reference }) => reference.tag === base.tag);
  if (wanted.length === 0) throw new NotFound(`tag does not exist: ${familiarReference(base)}`);
  return wanted;
}

/** One image on its way to one tag. */
class ImagePush {
  readonly #parts: ContainerParts;
  readonly #catalogue: Catalogue;
  readonly #repository: Repository;
  readonly #reference: Reference;
  readonly #report: Report;
  readonly #signal: AbortSignal;

  constructor(
    parts: ContainerParts,
    catalogue: Catalogue,
    repository: Repository,
    reference: Reference,
    { report, signal }: PushRequest,
  ) {
    this.#parts = parts;
    this.#catalogue = catalogue;
    this.#repository = repository;
    this.#reference = reference;
    this.#report = report;
    this.#signal = signal;
  }

  async run(image: LocalImage): Promise<void> {
    const { layers, images, events } = this.#parts;
    const hold = layers.hold();
    try {
      await hold.keep(image.layers.map((layer) => layer.diffId));
      const blobs = await this.#pushLayers(image.layers);
      const config = { digest: image.id, size: Buffer.byteLength(image.rawConfig) };
      await this.#pushConfig(config, image.rawConfig);
      const text = manifestText(
        config,
        image.layers.map((layer) => blobs.get(layer.diffId)),
      );
      const tag = this.#reference.tag ?? 'latest';
      await this.#repository.putManifest(tag, DOCKER_TYPES.manifest, text, this.#signal);
      const digest = digestOf(text);
      const size = Buffer.byteLength(text);
      const { domain, path } = this.#reference;
      await images.addReferences(image.id, [fullReference({ domain, path, digest })]);
      this.#report({ status: `${tag}: digest: ${digest} size: ${size}` });
      this.#report({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } });
      events.publish('image', 'push', familiarReference(this.#reference), {
        ...image.config.config?.Labels,
        name: familiarName(this.#reference),
      });
    } finally {
      hold.release();
      await layers.collect();
    }
  }

  /** The blobs that the layers are in the registry, by diff id. */
  async #pushLayers(layers: readonly CatalogueLayer[]): Promise<Map<string, BlobDescriptor>> {
    const unique = new Map(
      [...layers].reverse().map((layer) => {
        return [layer.diffId, { layer, progress: new ItemProgress(shortDigest(layer.diffId), this.#report) }];
      }),
    );
    for (const { progress } of unique.values()) progress.step('Preparing');
    const queue = [...unique.values()];
    for (const { progress } of queue.slice(PARALLEL_LAYERS)) progress.step('Waiting');
    const blobs = new Map<string, BlobDescriptor>();
    const stopper = new AbortController();
    const stop = AbortSignal.any([this.#signal, stopper.signal]);
    const worker = async () => {
      for (let next = queue.shift(); next && !stop.aborted; next = queue.shift()) {
        try {
          blobs.set(next.layer.diffId, await this.#pushLayer(next.layer, next.progress, stop));
        } catch (error) {
          stopper.abort(error);
        }
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_LAYERS }, worker));
    stop.throwIfAborted();
    const repository = repositoryName(this.#reference);
    await this.#parts.images.addOrigins(
      [...blobs].map(([diffId, { digest, size }]) => ({ diffId, digest, size, repository })),
    );
    return blobs;
  }

  async #pushLayer(
    layer: CatalogueLayer,
    progress: ItemProgress,
    stop: AbortSignal,
  ): Promise<BlobDescriptor> {
    const origin = this.#parts.images.origin(layer.diffId);
    const known = isShared(layer) ? layer : origin;
    if (known && (await this.#repository.hasBlob(known.digest, stop))) {
      progress.step('Layer already exists');
      return { digest: known.digest, size: known.size };
    }
    const mounted = origin && (await this.#mount(origin, progress, stop));
    if (mounted) return mounted;
    for (let attempt = 1; ; attempt++) {
      try {
        const blob = await this.#upload(layer, progress, stop);
        progress.step('Pushed');
        return blob;
      } catch (error) {
        if (!(error instanceof Unreachable) || attempt === MAX_ATTEMPTS || stop.aborted) throw error;
      }
    }
  }

  /** Another repository of the same registry has it already. */
  async #mount(
    origin: BlobDescriptor & { repositories: readonly string[] },
    progress: ItemProgress,
    stop: AbortSignal,
  ): Promise<BlobDescriptor | undefined> {
    const { domain, path } = this.#reference;
    for (const each of origin.repositories) {
      const from = parseReference(each);
      if (from.domain !== domain || from.path === path) continue;
      const result = await this.#repository
        .mountBlob(origin.digest, from.path, stop)
        .catch((error: unknown) => {
          if (error instanceof Unreachable) throw error;
          return undefined;
        });
      if (result === 'mounted') {
        progress.step(`Mounted from ${from.path}`);
        return { digest: origin.digest, size: origin.size };
      }
      if (result) await this.#repository.cancelUpload(result, stop);
    }
    return undefined;
  }

  async #upload(layer: CatalogueLayer, progress: ItemProgress, stop: AbortSignal): Promise<BlobDescriptor> {
    const location = await this.#repository.beginUpload(stop);
    const hash = createHash('sha256');
    let size = 0;
    async function* counted(source: Bytes): AsyncGenerator<Uint8Array> {
      for await (const chunk of source) {
        hash.update(chunk);
        size += chunk.length;
        yield chunk;
      }
    }
    let digest = '';
    await this.#repository.upload(
      location,
      counted(this.#compressed(layer, progress, stop)),
      () => {
        digest = `sha256:${hash.digest('hex')}`;
        return digest;
      },
      stop,
    );
    return { digest, size };
  }

  /** A shared layer as it lies in the store; one of the sandbox's own is compressed on its way. */
  #compressed(layer: CatalogueLayer, progress: ItemProgress, stop: AbortSignal): Bytes {
    const total = layer.unpackedSize;
    let current = 0;
    async function* told(source: Bytes, share: number): AsyncGenerator<Uint8Array> {
      for await (const chunk of source) {
        current += chunk.length * share;
        progress.bytes('Pushing', Math.round(current), total);
        yield chunk;
      }
    }
    if (isShared(layer)) {
      return told(this.#catalogue.readLayer(layer.digest), layer.size > 0 ? total / layer.size : 1);
    }
    return gzip(told(readLayer(this.#parts.sandbox.init, layer.diffId, stop), 1));
  }

  async #pushConfig(config: BlobDescriptor, text: string): Promise<void> {
    if (await this.#repository.hasBlob(config.digest, this.#signal)) return;
    const location = await this.#repository.beginUpload(this.#signal);
    async function* bytes() {
      yield Buffer.from(text);
    }
    await this.#repository.upload(location, bytes(), () => config.digest, this.#signal);
  }
}

function isShared(layer: CatalogueLayer): boolean {
  return layer.digest !== layer.diffId;
}

async function* gzip(source: Bytes): AsyncGenerator<Uint8Array> {
  const input = Readable.from(source);
  const output = createGzip(GZIP);
  input.once('error', (error) => output.destroy(error));
  input.pipe(output);
  try {
    for await (const chunk of output) yield chunk;
  } finally {
    input.destroy();
    output.destroy();
  }
}

/** Docker's own manifest, byte for byte as dockerd writes it, so that both give an image the same digest. */
function manifestText(config: BlobDescriptor, layers: readonly (BlobDescriptor | undefined)[]): string {
  const describe = (mediaType: string, { size, digest }: BlobDescriptor) => ({ mediaType, size, digest });
  return JSON.stringify(
    {
      schemaVersion: 2,
      mediaType: DOCKER_TYPES.manifest,
      config: describe(DOCKER_TYPES.config, config),
      layers: layers.map((layer) => {
        if (!layer) throw new Error('a layer was not pushed');
        return describe(DOCKER_TYPES.layer, layer);
      }),
    },
    undefined,
    3,
  );
}

// Does one step of a build in the sandbox: from the file systems it is done to, to the one that it yields.

import type { ContainerParts } from '../../container/parts.ts';
import { NotFound, SystemError } from '../../errors.ts';
import { Digester } from '../../image/bytes.ts';
import type { Catalogue } from '../../image/catalogue.ts';
import { packLayer } from '../../image/layer-tool.ts';
import { IN_SANDBOX } from '../../sandbox/sandbox.ts';
import type { BuildRequest } from '../build.ts';
import type { ContextSnapshot } from '../context.ts';
import type { ImageSource, LocalSource, Vertex } from '../graph.ts';
import type { PartStatus } from '../progress.ts';
import { CacheMounts } from './cache-mounts.ts';
import { changeFiles } from './file.ts';
import { Gate } from './gate.ts';
import { fetchFile } from './http.ts';
import { runProcess } from './run.ts';
import type { Snapshot } from './snapshot.ts';

/** What a step yields: a file system, or a client's files. */
export type StepResult = { kind: 'files'; snapshot: Snapshot } | { kind: 'local'; context: ContextSnapshot };

/** What steps work with. */
export interface ExecuteParts extends ContainerParts {
  readonly caches: CacheMounts;
  /** passed shared by what mounts layers, exclusively by what moves them */
  readonly gate: Gate;
}

/** One step that is being done. */
export interface StepCall {
  vertex: Vertex;
  inputs: readonly StepResult[];
  build: BuildRequest;
  signal: AbortSignal;
}

export class Executor {
  readonly #parts: ExecuteParts;

  readonly #catalogue: Catalogue;

  constructor(parts: ContainerParts, catalogue: Catalogue) {
    this.#parts = { ...parts, caches: new CacheMounts(), gate: new Gate() };
    this.#catalogue = catalogue;
  }

  /** What steps and exports work with. */
  get parts(): ExecuteParts {
    return this.#parts;
  }

  /** Throws BuildError for what the Dockerfile's author can mend. Nothing is left of a step that fails. */
  run(call: StepCall): Promise<StepResult> {
    const { operation } = call.vertex;
    switch (operation.kind) {
      case 'image':
        return this.#image(operation);
      case 'local':
        return this.#local(operation, call);
      case 'http':
        return fetchFile(this.#parts, operation, call);
      case 'exec':
        return runProcess(this.#parts, operation, call);
      case 'file':
        return changeFiles(this.#parts, operation, call);
    }
  }

  /** What a step's new layer has in it: names, modes, owners and content, not times. */
  async layerDigest({ layers }: Snapshot, signal: AbortSignal): Promise<string> {
    const { init } = this.#parts.sandbox;
    const location = layers.at(-1)?.location;
    if (location === undefined) throw new SystemError('an empty file system has no layer');
    const digester = new Digester();
    const archive = packLayer(init, `${IN_SANDBOX.dockerRoot}/${location}`, signal, 0);
    for await (const _ of digester.pass(archive));
    return digester.digest();
  }

  /** Takes away the new layer of a step that nobody else knows yet. */
  async discard({ layers }: Snapshot): Promise<void> {
    const own = /^(buildkit\/[0-9a-f]+)\/files$/.exec(layers.at(-1)?.location ?? '')?.[1];
    if (own === undefined) return;
    await this.#parts.sandbox.init.start([{ kind: 'rmtree', path: `${IN_SANDBOX.dockerRoot}/${own}` }]);
  }

  async #image({ imageId, reference }: ImageSource): Promise<StepResult> {
    const image = this.#parts.images.byId(imageId) ?? this.#catalogue.byId(imageId);
    if (!image) throw new NotFound(`${reference}: not found`);
    const layers = image.layers.map(({ dirName, diffId, unpackedSize }) => {
      const location = dirName.includes('/') ? dirName : `shared/${dirName}`;
      return { location, diffId, created: undefined, size: unpackedSize };
    });
    return { kind: 'files', snapshot: { layers } };
  }

  async #local({ name, includePatterns, excludePatterns }: LocalSource, call: StepCall): Promise<StepResult> {
    const { vertex, build, signal } = call;
    const onProgress = (part: Omit<PartStatus, 'vertex'>) => {
      build.onProgress({ ...part, type: 'part', vertex: vertex.digest });
    };
    const request = { name, includePatterns, excludePatterns, onProgress, signal };
    return { kind: 'local', context: await build.client.fetchContext(request) };
  }
}

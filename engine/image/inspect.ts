// docker image inspect, docker history: one image in the shape of the Docker Engine API.

import { IN_SANDBOX } from '../sandbox/sandbox.ts';
import { layerLocation } from './layer.ts';
import type { ImageStore, LocalImage } from './local.ts';
import { familiarReference, parseReference } from './reference.ts';

/** RepoTags and RepoDigests of an image. */
export function repoNames(image: LocalImage): { RepoTags: string[]; RepoDigests: string[] } {
  const names = image.localReferences.map((each) => familiarReference(parseReference(each)));
  return {
    RepoTags: names.filter((name) => !name.includes('@')),
    RepoDigests: names.filter((name) => name.includes('@')),
  };
}

/** Where the layers lie in the sandbox, top first. */
export function layerPaths(image: LocalImage): string[] {
  return image.layers.map((layer) => `${IN_SANDBOX.dockerRoot}/${layerLocation(layer.dirName)}`).reverse();
}

/** GET /images/{name}/json */
export function inspectImage(images: ImageStore, name: string): Record<string, unknown> {
  const { image } = images.find(name);
  const { config } = image.config;
  const [upper, ...lower] = layerPaths(image);
  return {
    Id: image.id,
    ...repoNames(image),
    Parent: image.parent,
    Comment: image.config.history?.at(-1)?.comment ?? '',
    Created: image.created,
    DockerVersion: '',
    Author: image.config.author ?? '',
    Config: {
      Hostname: '',
      Domainname: '',
      User: config?.User ?? '',
      AttachStdin: false,
      AttachStdout: false,
      AttachStderr: false,
      ...(config?.ExposedPorts ? { ExposedPorts: config.ExposedPorts } : {}),
      Tty: false,
      OpenStdin: false,
      StdinOnce: false,
      Env: config?.Env ?? null,
      Cmd: config?.Cmd ?? null,
      ...(config?.Healthcheck ? { Healthcheck: config.Healthcheck } : {}),
      Image: '',
      Volumes: config?.Volumes ?? null,
      WorkingDir: config?.WorkingDir ?? '',
      Entrypoint: config?.Entrypoint ?? null,
      OnBuild: config?.OnBuild ?? null,
      Labels: config?.Labels ?? null,
      ...(config?.StopSignal ? { StopSignal: config.StopSignal } : {}),
      ...(config?.Shell ? { Shell: config.Shell } : {}),
    },
    Architecture: image.config.architecture,
    ...(image.config.variant ? { Variant: image.config.variant } : {}),
    Os: image.config.os,
    Size: image.size,
    GraphDriver: {
      Data: {
        ...(lower.length > 0 ? { LowerDir: lower.join(':') } : {}),
        ...(upper === undefined ? {} : { UpperDir: upper }),
      },
      Name: 'overlay2',
    },
    RootFS: { Type: 'layers', Layers: image.config.rootfs.diff_ids },
    Metadata: { LastTagTime: image.lastTagged },
  };
}

/** GET /images/{name}/history, newest step first; only the top one has an id, as for any image that was pulled. */
export function imageHistory(images: ImageStore, name: string): Record<string, unknown>[] {
  const { image } = images.find(name);
  let layer = 0;
  const steps = (image.config.history ?? []).map((step) => ({
    Comment: step.comment ?? '',
    Created: seconds(step.created ?? image.created),
    CreatedBy: step.created_by ?? '',
    Id: '<missing>',
    Size: step.empty_layer ? 0 : (image.layers[layer++]?.unpackedSize ?? 0),
    Tags: null,
  }));
  // the images that it was committed from have an id too, each at its own last step
  for (let each: LocalImage | undefined = image; each; each = images.byId(each.parent)) {
    const step = steps[(each.config.history?.length ?? 0) - 1];
    if (step) Object.assign(step, { Id: each.id, Tags: repoNames(each).RepoTags });
  }
  return steps.reverse();
}

/** Whole seconds since the epoch of an RFC 3339 time. */
export function seconds(time: string): number {
  return Math.floor(Date.parse(time) / 1000);
}

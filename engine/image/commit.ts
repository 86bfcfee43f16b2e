// docker commit: what a container has written becomes a layer of the sandbox's own, above its image's.

import type { Container } from '../container/container.ts';
import { layerDir } from '../container/files.ts';
import type { ContainerParts } from '../container/parts.ts';
import { pauseContainer, unpauseContainer } from '../container/pause.ts';
import type { ContainerRecord } from '../container/record.ts';
import { NotFound } from '../errors.ts';
import { formatNanos, nowNanos, ZERO_TIME } from '../events/clock.ts';
import { applyChanges } from './changes.ts';
import { packLayer, unpackLayer } from './layer-tool.ts';
import type { OciContainerConfig, OciImageConfig } from './oci-image.ts';
import { newTag } from './tag.ts';

export interface CommitOptions {
  repo: string;
  tag: string;
  comment: string;
  author: string;
  pause: boolean;
  changes: readonly string[];
  signal: AbortSignal;
}

/** The diff id of an archive without entries: such a layer is left out, as in Docker. */
const EMPTY_LAYER = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

/** Makes an image of a container and gives its id. */
export async function commitContainer(
  parts: ContainerParts,
  container: Container,
  options: CommitOptions,
): Promise<string> {
  const { images, layers, events } = parts;
  const { record } = container;
  const base = images.byId(record.image);
  if (!base) throw new NotFound(`No such image: ${record.image}`);
  const reference = options.repo === '' ? undefined : newTag(options.repo, options.tag);
  const config = applyChanges(imageConfigOf(record), options.changes);
  const hold = layers.hold();
  try {
    await hold.keep(base.config.rootfs.diff_ids);
    const diffId = await freezeLayer(parts, container, options, (layer) => hold.adopt(layer));
    const next = childConfig(base.config, config, diffId, record, options);
    const id = await images.addImage(JSON.stringify(next), base.id);
    if (reference !== undefined) await parts.images.addReferences(id, [reference.full]);
    if (reference !== undefined) {
      events.publish('image', 'tag', id, { ...config.Labels, name: reference.familiar });
    }
    events.publish('container', 'commit', container.id, {
      ...container.attributes,
      comment: options.comment,
      imageID: id,
      imageRef: reference?.familiar ?? '',
    });
    return id;
  } finally {
    hold.release();
    await layers.collect();
  }
}

/** The container's own layer as a private one; undefined when it has written nothing. */
async function freezeLayer(
  parts: ContainerParts,
  container: Container,
  options: CommitOptions,
  adopt: (layer: Awaited<ReturnType<typeof unpackLayer>>) => Promise<void>,
): Promise<string | undefined> {
  const { init } = parts.sandbox;
  if (container.record.state.startedAt === ZERO_TIME) return undefined;
  const pauses = options.pause && container.record.state.status === 'running';
  if (pauses) await pauseContainer(parts, container);
  try {
    const archive = packLayer(init, `${layerDir(container.id)}/diff`, options.signal);
    const layer = await unpackLayer(init, archive, options.signal);
    if (layer.diffId === EMPTY_LAYER) return undefined;
    await adopt(layer);
    return layer.diffId;
  } finally {
    if (pauses) await unpauseContainer(parts, container);
  }
}

function imageConfigOf({ config }: ContainerRecord): OciContainerConfig {
  const { User, ExposedPorts, Env, Cmd, Entrypoint, Volumes, WorkingDir, Labels, StopSignal } = config;
  return {
    ...(User ? { User } : {}),
    ...(ExposedPorts ? { ExposedPorts } : {}),
    Env: Env ?? [],
    Cmd,
    Entrypoint,
    Volumes,
    WorkingDir,
    Labels,
    ...(StopSignal ? { StopSignal } : {}),
    ...(config.Healthcheck ? { Healthcheck: config.Healthcheck } : {}),
    ...(config.Shell ? { Shell: config.Shell } : {}),
    OnBuild: config.OnBuild,
  };
}

function childConfig(
  base: OciImageConfig,
  config: OciContainerConfig,
  diffId: string | undefined,
  record: ContainerRecord,
  { author, comment }: CommitOptions,
): OciImageConfig {
  const created = formatNanos(nowNanos());
  return {
    ...base,
    created,
    author,
    config,
    rootfs: {
      type: 'layers',
      diff_ids: [...base.rootfs.diff_ids, ...(diffId === undefined ? [] : [diffId])],
    },
    history: [
      ...(base.history ?? []),
      {
        created,
        created_by: (record.config.Cmd ?? []).join(' '),
        ...(author === '' ? {} : { author }),
        ...(comment === '' ? {} : { comment }),
        ...(diffId === undefined ? { empty_layer: true } : {}),
      },
    ],
  };
}

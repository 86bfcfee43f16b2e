// docker inspect: one container in the shape of the Docker Engine API.

import { layerLocation } from '../image/layer.ts';
import { logPath } from '../logger/files.ts';
import { IN_SANDBOX } from '../sandbox/sandbox.ts';
import type { Container } from './container.ts';
import { networkSettings, stateName } from './describe.ts';
import { containerDir, layerDir } from './files.ts';
import { describeHealth } from './health.ts';
import { describeMounts } from './mount-point.ts';
import type { ContainerParts } from './parts.ts';
import { isRunning } from './record.ts';
import { measureLayer } from './size.ts';

/** GET /containers/{id}/json; with sizes when they are asked for. */
export async function inspectContainer(
  parts: ContainerParts,
  container: Container,
  withSize: boolean,
): Promise<Record<string, unknown>> {
  const { record } = container;
  const { id, state, hostConfig, config } = record;
  const layer = layerDir(id);
  const isRestarting = state.status === 'restarting';
  const sizeRw = withSize ? await measureLayer(parts, record) : 0;
  const imageSize = parts.images.byId(record.image)?.size ?? 0;
  return {
    Id: id,
    Created: record.created,
    Path: record.path,
    Args: record.args,
    State: {
      Status: stateName(record),
      Running: isRunning(record) || isRestarting,
      Paused: state.status === 'paused',
      Restarting: isRestarting,
      OOMKilled: state.oomKilled,
      Dead: state.status === 'dead',
      Pid: state.pid,
      ExitCode: state.exitCode,
      Error: state.error,
      StartedAt: state.startedAt,
      FinishedAt: state.finishedAt,
      ...(state.health ? { Health: describeHealth(state.health) } : {}),
    },
    Image: record.image,
    ResolvConfPath: `${containerDir(id)}/resolv.conf`,
    HostnamePath: `${containerDir(id)}/hostname`,
    HostsPath: `${containerDir(id)}/hosts`,
    LogPath: hostConfig.LogConfig.Type === 'json-file' ? logPath(id) : '',
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: container.execs.size > 0 ? [...container.execs] : null,
    HostConfig: hostConfig,
    GraphDriver: {
      Data: {
        ID: id,
        LowerDir: [
          `${IN_SANDBOX.dockerRoot}/overlay2/init/diff`,
          ...record.layers.map((name) => `${IN_SANDBOX.dockerRoot}/${layerLocation(name)}`),
        ].join(':'),
        MergedDir: `${layer}/merged`,
        UpperDir: `${layer}/diff`,
        WorkDir: `${layer}/work`,
      },
      Name: 'overlay2',
    },
    ...(withSize ? { SizeRw: sizeRw, SizeRootFs: imageSize + sizeRw } : {}),
    Mounts: describeMounts(record.mounts),
    Config: config,
    NetworkSettings: networkSettings(record, parts.networks),
  };
}

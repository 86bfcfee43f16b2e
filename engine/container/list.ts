// docker ps: which containers there are, by filters.

import { EngineError, InvalidParameter } from '../errors.ts';
import { compareTimes } from '../events/clock.ts';
import type { Filters } from '../events/filters.ts';
import { seconds } from '../image/inspect.ts';
import { safePattern } from '../safe-pattern.ts';
import { commandText, networksOf, portList, stateName, statusText } from './describe.ts';
import { linkNames } from './links.ts';
import { describeMounts } from './mount-point.ts';
import type { ContainerParts } from './parts.ts';
import { type ContainerRecord, isRunning } from './record.ts';
import { measureLayer } from './size.ts';

export const CONTAINER_FILTERS =
  'ancestor before expose exited health id is-task isolation label name network publish since status volume'.split(
    ' ',
  );

const STATUSES = ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead'];
const HEALTHS = ['starting', 'healthy', 'unhealthy', 'none'];

export interface ListOptions {
  all: boolean;
  /** at most this many of the newest, running or not; 0 is no limit */
  limit: number;
  size: boolean;
  filters: Filters;
}

/** GET /containers/json, newest first. */
export async function listContainers(
  parts: ContainerParts,
  options: ListOptions,
): Promise<Record<string, unknown>[]> {
  const { filters } = options;
  checkValues(filters);
  const isAll = options.all || options.limit > 0 || filters.has('status') || filters.has('exited');
  const passes = selector(parts, filters);
  const found = parts.containers
    .list()
    .map((container) => container.record)
    .filter(
      (record) => (isAll || isRunning(record) || record.state.status === 'restarting') && passes(record),
    );
  const limited = options.limit > 0 ? found.slice(0, options.limit) : found;
  return Promise.all(limited.map((record) => describe(parts, record, options.size)));
}

function checkValues(filters: Filters): void {
  for (const filter of filters.get('publish')) portRange(filter, 'publish');
  for (const filter of filters.get('expose')) portRange(filter, 'expose');
  for (const status of filters.get('status')) {
    if (!STATUSES.includes(status)) throw new InvalidParameter(`invalid filter 'status=${status}'`);
  }
  for (const health of filters.get('health')) {
    if (!HEALTHS.includes(health))
      throw new InvalidParameter(`unrecognized filter value for health: ${health}`);
  }
  for (const code of filters.get('exited')) {
    if (!/^-?\d+$/.test(code))
      throw new InvalidParameter(
        `invalid filter 'exited=${code}': strconv.Atoi: parsing "${code}": invalid syntax`,
      );
  }
}

function selector(parts: ContainerParts, filters: Filters): (record: ContainerRecord) => boolean {
  const createdOf = (key: string) =>
    filters.get(key).map((name) => parts.containers.get(name).record.created);
  const before = createdOf('before').sort(compareTimes)[0];
  const since = createdOf('since').sort(compareTimes).at(-1);
  const ancestors = filters.get('ancestor').flatMap((name) => imageId(parts, name) ?? name);
  const names = filters.get('name').map((pattern) => nameTest(pattern));
  const isTask = filters.boolean('is-task');
  return (record) =>
    (before === undefined || compareTimes(record.created, before) < 0) &&
    (since === undefined || compareTimes(record.created, since) > 0) &&
    filters.any('id', (id) => record.id.startsWith(id)) &&
    (names.length === 0 || names.some((test) => test(record.name))) &&
    filters.labels((name) => record.config.Labels[name]) &&
    filters.any('status', (status) => status === stateName(record)) &&
    filters.any(
      'exited',
      (code) => record.state.status === 'exited' && record.state.exitCode === Number(code),
    ) &&
    (ancestors.length === 0 ||
      ancestors.some((image) => image === record.image || image === record.config.Image)) &&
    filters.any('volume', (place) => mountedAt(record).includes(place)) &&
    filters.any('network', (network) => isOnNetwork(parts, record, network)) &&
    filters.any('publish', (port) => hasPort(record, port, true)) &&
    filters.any('expose', (port) => hasPort(record, port, false)) &&
    filters.any('health', (health) => health === (record.state.health?.status ?? 'none')) &&
    isTask !== true;
}

function imageId(parts: ContainerParts, name: string): string | undefined {
  try {
    return parts.images.find(name).image.id;
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}

/** A name filter is a regular expression over `/name` and `name`, as in Docker; one that is too complex is plain text. */
function nameTest(pattern: string): (name: string) => boolean {
  try {
    const matches = safePattern(pattern);
    return (name) => matches(name) || matches(`/${name}`);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return (name) => name.includes(pattern);
  }
}

function mountedAt(record: ContainerRecord): string[] {
  return describeMounts(record.mounts).flatMap((mount) => [
    String(mount.Name ?? mount.Source),
    String(mount.Destination),
  ]);
}

function isOnNetwork(parts: ContainerParts, record: ContainerRecord, network: string): boolean {
  const id = parts.networks.find(network)?.id;
  return record.networks.some(
    ({ networkId, name }) => name === network || (id !== undefined && networkId === id),
  );
}

/** `80`, `80/tcp`, `8000-8080/tcp` */
function hasPort(record: ContainerRecord, filter: string, published: boolean): boolean {
  const { first, last, proto } = portRange(filter, published ? 'publish' : 'expose');
  return portList(record).some((port) => {
    const number = Number(published ? port.PublicPort : port.PrivatePort);
    return port.Type === proto && number >= first && number <= last;
  });
}

function portRange(filter: string, kind: string): { first: number; last: number; proto: string } {
  const [range = '', proto = 'tcp'] = filter.split('/');
  const [from = '', to = from] = range.split('-');
  const wrong = (why: string) => new InvalidParameter(`error while looking up for ${kind} ${filter}: ${why}`);
  for (const text of [from, to]) {
    if (!/^\d{1,5}$/.test(text)) {
      throw wrong(`strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
    }
  }
  if (Number(to) < Number(from)) throw wrong(`Invalid range specified for the Port: ${range}`);
  return { first: Number(from), last: Number(to), proto };
}

async function describe(
  parts: ContainerParts,
  record: ContainerRecord,
  withSize: boolean,
): Promise<Record<string, unknown>> {
  const sizeRw = withSize ? await measureLayer(parts, record) : 0;
  const imageSize = parts.images.byId(record.image)?.size ?? 0;
  return {
    Id: record.id,
    Names: [`/${record.name}`, ...linkNames(parts, record.name)],
    Image: imageId(parts, record.config.Image) === record.image ? record.config.Image : record.image,
    ImageID: record.image,
    Command: commandText(record),
    Created: seconds(record.created),
    Ports: portList(record),
    // as Go's omitempty leaves out a size of 0
    ...(withSize && sizeRw > 0 ? { SizeRw: sizeRw } : {}),
    ...(withSize ? { SizeRootFs: imageSize + sizeRw } : {}),
    Labels: record.config.Labels,
    State: stateName(record),
    Status: statusText(record),
    HostConfig: { NetworkMode: record.hostConfig.NetworkMode },
    NetworkSettings: { Networks: networksOf(record, parts.networks) },
    Mounts: describeMounts(record.mounts),
  };
}

// What the options of BuildKit's Dockerfile front end mean (frontend/dockerui/config.go), as a request to the builder.

import { InvalidParameter, NotImplemented } from '../../errors.ts';
import type { BuildRequest } from '../build.ts';

/** The part of a request that options tell. */
export type RequestedOptions = Pick<
  BuildRequest,
  | 'contextName'
  | 'dockerfile'
  | 'target'
  | 'buildArgs'
  | 'labels'
  | 'namedContexts'
  | 'noCache'
  | 'pulls'
  | 'platform'
  | 'network'
  | 'extraHosts'
  | 'shmSize'
  | 'ulimits'
  | 'cgroupParent'
  | 'sourceDateEpoch'
> & {
  /** the client sends the context as an archive under this id (`docker build - < archive`) */
  upload: string | undefined;
};

const MAX_OPTIONS = 2000;
const UPLOAD = /^https?:\/\/buildkit-session\/([\w-]{1,200})$/;

/** Throws InvalidParameter for values that make no sense, NotImplemented for what Berth does not build. */
export function readOptions(options: ReadonlyMap<string, string>): RequestedOptions {
  if (options.size > MAX_OPTIONS) throw new InvalidParameter('the build has too many options');
  const get = (name: string) => options.get(name) ?? '';
  const upload = uploadId(get('context'));
  const dockerfileKey = upload === undefined ? 'dockerfile' : 'context';
  return {
    contextName: get('contextkey') || 'context',
    dockerfile: {
      contextName: get('dockerfilekey') || dockerfileKey,
      path: get('filename') || 'Dockerfile',
    },
    target: get('target'),
    buildArgs: withPrefix(options, 'build-arg:'),
    // clients write them in any order, and an image's id depends on it
    labels: new Map([...withPrefix(options, 'label:')].sort(([a], [b]) => (a < b ? -1 : 1))),
    namedContexts: namedContexts(options),
    noCache: options.has('no-cache') ? noCache(get('no-cache')) : false,
    pulls: get('image-resolve-mode') === 'pull',
    platform: onePlatform(get('platform')),
    network: network(get('force-network-mode')),
    extraHosts: csv(get('add-hosts')).map(readHost),
    shmSize: bytes('shm-size', get('shm-size')),
    ulimits: csv(get('ulimit')).map(readUlimit),
    cgroupParent: get('cgroup-parent'),
    sourceDateEpoch: epoch(get('build-arg:SOURCE_DATE_EPOCH')),
    upload,
  };
}

function uploadId(context: string): string | undefined {
  if (context === '') return undefined;
  const id = UPLOAD.exec(context)?.[1];
  if (id === undefined) {
    throw new NotImplemented(
      `building from ${context.slice(0, 200)} is not supported by Berth: a lab host builds from its own folders and archives`,
    );
  }
  return id;
}

function withPrefix(options: ReadonlyMap<string, string>, prefix: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of options)
    if (name.startsWith(prefix)) found.set(name.slice(prefix.length), value);
  return found;
}

function namedContexts(options: ReadonlyMap<string, string>): BuildRequest['namedContexts'] {
  const contexts = new Map<string, { kind: 'image'; reference: string } | { kind: 'local'; name: string }>();
  for (const [name, value] of withPrefix(options, 'context:')) {
    const [, scheme = '', rest = ''] = /^([\w-]+):(?:\/\/)?(.*)$/s.exec(value) ?? [];
    if (scheme === 'docker-image' && rest !== '') contexts.set(name, { kind: 'image', reference: rest });
    else if (scheme === 'local' && rest !== '') contexts.set(name, { kind: 'local', name: rest });
    else {
      throw new NotImplemented(
        `the build context ${name}=${value.slice(0, 200)} is not supported by Berth: name a folder or docker-image://…`,
      );
    }
  }
  return contexts;
}

function noCache(value: string): true | string[] {
  const stages = csv(value);
  return stages.length === 0 ? true : stages;
}

/** `linux/amd64`, one of them: an image here is for one platform. */
function onePlatform(value: string): string {
  const platforms = csv(value);
  if (platforms.length > 1) {
    throw new NotImplemented('multiple platforms feature is currently not supported for docker driver');
  }
  return platforms[0] ?? '';
}

function network(mode: string): BuildRequest['network'] {
  if (mode === '' || mode === 'default' || mode === 'sandbox') return 'default';
  if (mode === 'none' || mode === 'host') return mode;
  throw new InvalidParameter(`invalid network mode ${mode.slice(0, 100)}`);
}

/** BuildKit writes `name=address`. */
function readHost(text: string): string {
  const [, name, address] = /^([^=:]+)[=:](.+)$/.exec(text) ?? [];
  if (name === undefined || address === undefined) {
    throw new InvalidParameter(`bad format for add-host: "${text.slice(0, 200)}"`);
  }
  return `${name}:${address.replace(/^\[(.*)\]$/, '$1')}`;
}

function readUlimit(text: string): { name: string; soft: number; hard: number } {
  const [, name, soft, hard = soft] = /^([a-z]+)=(-?\d{1,15})(?::(-?\d{1,15}))?$/.exec(text) ?? [];
  if (name === undefined || soft === undefined) {
    throw new InvalidParameter(`invalid ulimit argument: ${text.slice(0, 200)}`);
  }
  return { name, soft: Number(soft), hard: Number(hard) };
}

function bytes(name: string, text: string): number {
  if (text === '') return 0;
  if (!/^\d{1,15}$/.test(text)) throw new InvalidParameter(`invalid ${name}: ${text.slice(0, 100)}`);
  return Number(text);
}

function epoch(text: string): number | undefined {
  if (text === '') return undefined;
  if (!/^\d{1,12}$/.test(text))
    throw new InvalidParameter(`invalid SOURCE_DATE_EPOCH: ${text.slice(0, 100)}`);
  return Number(text);
}

/** A line of comma-separated values as Go's encoding/csv reads it. */
export function csv(line: string): string[] {
  if (line === '') return [];
  const values: string[] = [];
  const pattern = /(?:"((?:[^"]|"")*)"|([^,"]*))(,|$)/gy;
  for (let match = pattern.exec(line); match; match = pattern.exec(line)) {
    values.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '') return values;
  }
  throw new InvalidParameter(`parse error in ${line.slice(0, 200)}`);
}

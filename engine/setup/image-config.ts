// The OCI documents of a catalogue image: its configuration, history, labels and manifest, from its recipe.

import { MEDIA_TYPES, type OciImageConfig, type OciManifest } from '../image/oci-image.ts';
import { normalizeReference } from '../image/reference.ts';
import type { BuiltLayer } from './layer-archive.ts';
import type { ImageRecipe } from './recipe.ts';

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What an image is made of, once its own layer is in the store. */
export interface ImageParts {
  name: string;
  recipe: ImageRecipe;
  version: string;
  /** how the layer was made, as history shows it */
  createdBy: string;
  date: Date;
  layer: BuiltLayer;
  parent?: { config: OciImageConfig; layers: BuiltLayer[]; reference: string };
}

/** Docker's name of this machine's processor. */
export function architecture(): string {
  return ARCHITECTURES[process.arch] ?? process.arch;
}

/** Replaces `{version}`, `{minor}` (its first two parts) and `{major}` in a recipe's text. */
export function fillVersion(text: string, version: string): string {
  const parts = version.split('.');
  return text
    .replaceAll('{version}', version)
    .replaceAll('{minor}', parts.slice(0, 2).join('.'))
    .replaceAll('{major}', parts[0] ?? '');
}

/** The image's references in full, each once. */
export function imageReferences(recipe: ImageRecipe, version: string): string[] {
  return [
    ...new Set(recipe.references.map((reference) => normalizeReference(fillVersion(reference, version)))),
  ];
}

/** The upstream version in a Debian version: `1:1.26.3-3+deb13u1` is 1.26.3. */
export function upstreamVersion(debianVersion: string): string {
  return debianVersion
    .replace(/^\d+:/, '')
    .replace(/-[^-]*$/, '')
    .replace(/[+~].*$/, '');
}

/** The image configuration (image-spec config.md). */
export function imageConfig(parts: ImageParts): OciImageConfig {
  const { recipe, version, parent, layer } = parts;
  const { env, entrypoint, cmd, expose, volumes, stopSignal, workdir, user } = recipe.config;
  const created = parts.date.toISOString();
  return {
    created,
    architecture: architecture(),
    os: 'linux',
    config: {
      ...(user === undefined ? {} : { User: user }),
      ...(expose.length === 0 ? {} : { ExposedPorts: Object.fromEntries(expose.map((port) => [port, {}])) }),
      Env: mergeEnv(
        parent?.config.config?.Env ?? [PATH],
        env.map((line) => fillVersion(line, version)),
      ),
      ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint }),
      ...(cmd === undefined ? {} : { Cmd: cmd }),
      ...(volumes.length === 0 ? {} : { Volumes: Object.fromEntries(volumes.map((path) => [path, {}])) }),
      ...(workdir === undefined ? {} : { WorkingDir: workdir }),
      Labels: labels(parts),
      ...(stopSignal === undefined ? {} : { StopSignal: stopSignal }),
    },
    rootfs: {
      type: 'layers',
      diff_ids: [...(parent?.config.rootfs.diff_ids ?? []), layer.diffId],
    },
    history: [
      ...(parent?.config.history ?? []),
      { created, created_by: parts.createdBy, comment: 'berth' },
      ...emptyHistory(parts).map((line) => ({
        created,
        created_by: line,
        comment: 'berth',
        empty_layer: true,
      })),
    ],
  };
}

/** As ENV does it: a variable that is there already gets its new value in its place. */
function mergeEnv(base: readonly string[], own: readonly string[]): string[] {
  const values = new Map([...base, ...own].map((line) => [line.split('=', 1)[0], line]));
  return [...values.values()];
}

function labels({ name, recipe, version, parent }: ImageParts): Record<string, string> {
  return {
    'org.opencontainers.image.title': name,
    'org.opencontainers.image.description': recipe.description,
    'org.opencontainers.image.vendor': 'Berth',
    ...(version === '' ? {} : { 'org.opencontainers.image.version': version }),
    ...(parent === undefined ? {} : { 'org.opencontainers.image.base.name': parent.reference }),
  };
}

/** The lines that a Dockerfile would have left behind for what the configuration says. */
function emptyHistory({ recipe, version }: ImageParts): string[] {
  const { env, entrypoint, cmd, expose, volumes, stopSignal, workdir, user } = recipe.config;
  const list = (words: string[]): string => `[${words.map((word) => JSON.stringify(word)).join(' ')}]`;
  return [
    ...env.map((line) => `ENV ${fillVersion(line, version)}`),
    ...(workdir === undefined ? [] : [`WORKDIR ${workdir}`]),
    ...(user === undefined ? [] : [`USER ${user}`]),
    ...(entrypoint === undefined ? [] : [`ENTRYPOINT ${list(entrypoint)}`]),
    ...expose.map((port) => `EXPOSE ${port}`),
    ...(volumes.length === 0 ? [] : [`VOLUME ${list(volumes)}`]),
    ...(stopSignal === undefined ? [] : [`STOPSIGNAL ${stopSignal}`]),
    ...(cmd === undefined ? [] : [`CMD ${list(cmd)}`]),
  ];
}

/** The manifest (image-spec manifest.md) over a stored configuration and layers. */
export function imageManifest(
  config: { digest: string; size: number },
  layers: readonly BuiltLayer[],
): OciManifest {
  return {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config: { mediaType: MEDIA_TYPES.config, digest: config.digest, size: config.size },
    layers: layers.map(({ digest, size }) => ({ mediaType: MEDIA_TYPES.layer, digest, size })),
  };
}

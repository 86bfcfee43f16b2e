// What a registry's manifests say: which one of an index is for a platform, and what an image is made of.

import { z } from 'zod';
import { InvalidParameter, messageOf, NotFound, SystemError } from '../errors.ts';
import type { Manifest, Repository } from '../registry/client.ts';
import { Descriptor, OciManifest, Sha256Digest } from './oci-image.ts';

export const DOCKER_TYPES = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  list: 'application/vnd.docker.distribution.manifest.list.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const;
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG_TYPES: readonly string[] = [
  DOCKER_TYPES.config,
  'application/vnd.oci.image.config.v1+json',
  'application/octet-stream',
  '',
];

/** What is asked for. */
export const ACCEPTED = [
  DOCKER_TYPES.manifest,
  DOCKER_TYPES.list,
  OCI_INDEX,
  OCI_MANIFEST,
  'application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.1',
];

const MAX_LAYERS = 128;
const MAX_MANIFESTS = 500;

/** `linux/arm64/v8`, taken apart. */
export interface Platform {
  os: string;
  architecture: string;
  variant?: string | undefined;
}

const PlatformEntry = z.looseObject({
  os: z.string(),
  architecture: z.string(),
  variant: z.string().optional(),
  'os.version': z.string().optional(),
});

const Index = z.looseObject({
  manifests: z
    .array(
      z.looseObject({
        mediaType: z.string().default(''),
        digest: Sha256Digest,
        size: z.number().int().nonnegative(),
        platform: PlatformEntry.nullish(),
      }),
    )
    .max(MAX_MANIFESTS),
});
export type Index = z.infer<typeof Index>;

const ImageManifest = OciManifest.extend({
  config: Descriptor.extend({ mediaType: z.string().default('') }),
  layers: z.array(Descriptor).max(MAX_LAYERS),
});

/** The architecture names of images (Go's) by Node's. */
export const GO_ARCHITECTURE: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };

/** This machine's. */
export const OWN_PLATFORM: Platform = {
  os: 'linux',
  architecture: GO_ARCHITECTURE[process.arch] ?? process.arch,
};

const ALIASES: Record<string, string> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  armhf: 'arm',
};

/** What `--platform` says; '' is this machine's. Throws InvalidParameter in Docker's words. */
export function parsePlatform(text: string): Platform {
  if (text === '') return OWN_PLATFORM;
  if (!/^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+){0,2}$/.test(text)) {
    throw new InvalidParameter(`"${text.slice(0, 100)}" is an invalid component: invalid argument`);
  }
  const [first = '', second, variant] = text.toLowerCase().split('/');
  if (second === undefined) {
    if (first === 'linux') return OWN_PLATFORM;
    const architecture = ALIASES[first] ?? first;
    if (!KNOWN_ARCHITECTURES.includes(architecture)) {
      throw new InvalidParameter(`"${text}": unknown operating system or architecture: invalid argument`);
    }
    return { os: 'linux', architecture };
  }
  const architecture = ALIASES[second] ?? second;
  return { os: first, architecture, ...(variant === undefined ? {} : { variant }) };
}

const KNOWN_ARCHITECTURES = [
  '386',
  'amd64',
  'arm',
  'arm64',
  'ppc64le',
  'riscv64',
  's390x',
  'mips64le',
  'loong64',
];

export function showPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant ? [variant] : [])].join('/');
}

/** Whether something for `offered` is what `wanted` means. A variant counts when both say one; arm64's only one is v8. */
export function matchesPlatform(wanted: Platform, offered: Platform): boolean {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return false;
  if (wanted.architecture === 'arm64') return (wanted.variant ?? 'v8') === (offered.variant ?? 'v8');
  return wanted.variant === undefined || wanted.variant === offered.variant;
}

export function isIndex(manifest: Manifest): boolean {
  if ([DOCKER_TYPES.list, OCI_INDEX].some((type) => type === manifest.mediaType)) return true;
  if (manifest.mediaType === DOCKER_TYPES.manifest || manifest.mediaType === OCI_MANIFEST) return false;
  return 'manifests' in z.looseObject({}).catch({}).parse(parseJson(manifest));
}

/** Throws SystemError when it is none. */
export function parseIndex(manifest: Manifest): Index {
  return parseAs(Index, manifest, 'index');
}

/** Throws SystemError when it is none, or is of something else than an image. */
export function parseManifest(manifest: Manifest): OciManifest {
  const { mediaType } = manifest;
  if (/distribution\.manifest\.v1\+/.test(mediaType)) {
    throw new SystemError(
      'Docker Image Format v1 and Docker Image manifest version 2, schema 1 are not supported: ask the author of the image for a newer one',
    );
  }
  const parsed = parseAs(ImageManifest, manifest, 'manifest');
  const type = parsed.config.mediaType;
  if (!CONFIG_TYPES.includes(type)) throw new SystemError(`unsupported media type ${type.slice(0, 200)}`);
  return parsed;
}

function parseJson(manifest: Manifest): unknown {
  try {
    return JSON.parse(manifest.bytes.toString('utf8'));
  } catch (error) {
    throw new SystemError(`error parsing the manifest: ${messageOf(error)}`, { cause: error });
  }
}

function parseAs<T extends z.ZodType>(schema: T, manifest: Manifest, what: string): z.infer<T> {
  const result = schema.safeParse(parseJson(manifest));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new SystemError(`the registry's ${what} is not valid: ${issue?.path.join('.')}: ${issue?.message}`);
}

/** The manifest of an image for a platform, by tag or digest; `digest` is of what the reference names, be it an index. */
export async function fetchManifest(
  repository: Repository,
  reference: string,
  platform: Platform,
  signal: AbortSignal,
): Promise<{ digest: string; manifest: OciManifest; isChosen: boolean }> {
  const top = await repository.manifest(reference, ACCEPTED, signal);
  let at = top;
  for (let depth = 0; isIndex(at); depth++) {
    const entry = parseIndex(at).manifests.find(
      (each) => each.platform != null && matchesPlatform(platform, each.platform),
    );
    if (!entry || depth > 2) {
      throw new NotFound(`no matching manifest for ${showPlatform(platform)} in the manifest list entries`);
    }
    at = await repository.manifest(entry.digest, ACCEPTED, signal);
  }
  return { digest: top.digest, manifest: parseManifest(at), isChosen: at !== top };
}

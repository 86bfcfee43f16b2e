// Platforms: `linux/amd64`, `linux/arm/v7` (containerd's platforms package).

import { quote } from './go-text.ts';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** '' when there is none */
  readonly variant: string;
}

/** Node's names of processors, as Go calls them. */
const ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ['x64', 'amd64'],
  ['ia32', '386'],
  ['x86_64', 'amd64'],
  ['x86-64', 'amd64'],
  ['aarch64', 'arm64'],
  ['armhf', 'arm'],
  ['i386', '386'],
]);
const KNOWN_ARCHITECTURES = new Set([
  '386',
  'amd64',
  'arm',
  'arm64',
  'loong64',
  'mips64le',
  'ppc64le',
  'riscv64',
  's390x',
  'wasm',
]);
const KNOWN_SYSTEMS = new Set(['linux', 'windows', 'darwin', 'freebsd', 'wasip1']);
const COMPONENT = /^[A-Za-z0-9_.-]+$/;

/** The platform of this machine's containers. */
export function machinePlatform(): Platform {
  return normalize('linux', process.arch, '');
}

/** Reads a platform. Throws an Error in containerd's words. */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/');
  if (parts.length > 3 || !parts.every((part) => COMPONENT.test(part))) {
    throw new Error(`${quote(text)}: cannot parse platform specifier: invalid argument`);
  }
  const [first = '', architecture, variant = ''] = parts;
  if (architecture !== undefined) return normalize(first, architecture, variant);
  const one = normalize(first, first, '');
  if (KNOWN_SYSTEMS.has(one.os)) return normalize(one.os, process.arch, '');
  if (KNOWN_ARCHITECTURES.has(one.architecture)) return { ...one, os: 'linux' };
  throw new Error(`${quote(text)}: unknown operating system or architecture: invalid argument`);
}

function normalize(os: string, architecture: string, variant: string): Platform {
  const folded = architecture.toLowerCase();
  const known = ARCHITECTURES.get(folded) ?? folded;
  const isDefaultVariant =
    (known === 'arm64' && /^v?8$/.test(variant)) || (known === 'amd64' && variant === 'v1');
  return {
    os: os.toLowerCase(),
    architecture: known,
    variant: isDefaultVariant ? '' : variant.toLowerCase().replace(/^(?=\d)/, 'v'),
  };
}

/** `os/architecture` with the variant where there is one. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant === '' ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

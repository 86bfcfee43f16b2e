// The grammar of image references, and how short names become full ones (distribution/reference, as Docker uses it).

import { InvalidParameter } from '../errors.ts';

/** A parsed reference, always with its registry: `nginx` is { domain: 'docker.io', path: 'library/nginx' }. */
export interface Reference {
  readonly domain: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: string;
}

const DEFAULT_DOMAIN = 'docker.io';
const LEGACY_DEFAULT_DOMAIN = 'index.docker.io';
const OFFICIAL_PREFIX = 'library/';
const DEFAULT_TAG = 'latest';
const NAME_MAX = 255;

const DOMAIN_COMPONENT = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const IPV6 = '\\[(?:[a-fA-F0-9:]+)\\]';
const DOMAIN = `(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|${IPV6})(?::[0-9]+)?`;
const PATH_COMPONENT = '[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*';
const PATH = `${PATH_COMPONENT}(?:/${PATH_COMPONENT})*`;
const TAG = '[\\w][\\w.-]{0,127}';
const DIGEST = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';

const REMAINDER = new RegExp(`^(?<path>${PATH})(?::(?<tag>${TAG}))?(?:@(?<digest>${DIGEST}))?$`);
const WHOLE_DOMAIN = new RegExp(`^${DOMAIN}$`);
const IDENTIFIER = /^[a-f0-9]{64}$/;
const DIGEST_LENGTHS: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
]);

/**
 * Parses a reference as a user types it, and completes registry and `library/`. The tag stays absent when none is
 * given (see `withDefaultTag`). Throws InvalidParameter in Docker's words.
 *
 * @example parseReference('nginx:1.26') // { domain: 'docker.io', path: 'library/nginx', tag: '1.26' }
 */
export function parseReference(text: string): Reference {
  if (IDENTIFIER.test(text)) {
    throw new InvalidParameter(
      `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
    );
  }
  const { domain, remainder } = splitDomain(text);
  const colon = remainder.indexOf(':');
  const remote = colon < 0 ? remainder : remainder.slice(0, colon);
  if (remote.toLowerCase() !== remote) {
    throw new InvalidParameter(`invalid reference format: repository name (${remote}) must be lowercase`);
  }
  const groups = WHOLE_DOMAIN.test(domain) ? REMAINDER.exec(remainder)?.groups : undefined;
  const path = groups?.path;
  if (groups === undefined || path === undefined) throw new InvalidParameter('invalid reference format');
  if (path.length > NAME_MAX) {
    throw new InvalidParameter(`repository name must not be more than ${NAME_MAX} characters`);
  }
  const { tag, digest } = groups;
  if (digest !== undefined) checkDigest(digest);
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

function splitDomain(text: string): { domain: string; remainder: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const isDomain =
    slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  let domain = isDomain ? first : DEFAULT_DOMAIN;
  let remainder = isDomain ? text.slice(slash + 1) : text;
  if (domain === LEGACY_DEFAULT_DOMAIN) domain = DEFAULT_DOMAIN;
  if (domain === DEFAULT_DOMAIN && !remainder.includes('/')) remainder = OFFICIAL_PREFIX + remainder;
  return { domain, remainder };
}

function checkDigest(digest: string): void {
  const colon = digest.indexOf(':');
  const length = DIGEST_LENGTHS.get(digest.slice(0, colon));
  const hex = digest.slice(colon + 1);
  if (length === undefined) throw new InvalidParameter('unsupported digest algorithm');
  if (hex.length !== length) throw new InvalidParameter('invalid checksum digest length');
  if (!/^[0-9a-f]+$/.test(hex)) throw new InvalidParameter('invalid checksum digest format');
}

/** The reference with `:latest` when it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined
    ? { ...reference, tag: DEFAULT_TAG }
    : reference;
}

/** The repository's full name: `docker.io/library/nginx`. */
export function repositoryName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The repository's name as Docker shows it: `nginx`, `someone/tool`, `localhost:5000/nginx`. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return repositoryName(reference);
  const official = /^library\/([^/]+)$/.exec(reference.path)?.[1];
  return official ?? reference.path;
}

function suffix(reference: Reference): string {
  return `${reference.tag === undefined ? '' : `:${reference.tag}`}${reference.digest === undefined ? '' : `@${reference.digest}`}`;
}

/** The whole reference in full: `docker.io/library/nginx:latest`. */
export function fullReference(reference: Reference): string {
  return repositoryName(reference) + suffix(reference);
}

/** The whole reference as Docker shows it: `nginx:latest`. */
export function familiarReference(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

/**
 * What a user typed, in full and with a tag: the form in which references are stored and compared.
 *
 * @example normalizeReference('nginx') // 'docker.io/library/nginx:latest'
 */
export function normalizeReference(text: string): string {
  return fullReference(withDefaultTag(parseReference(text)));
}

// RUN --mount: its comma-separated fields.

import { parseBool, parseBytes, quote } from './go-text.ts';
import { withSuggestion } from './suggest.ts';

const TYPES = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const;
const SHARING = ['shared', 'private', 'locked'] as const;
export type MountType = (typeof TYPES)[number];
export type MountSharing = (typeof SHARING)[number];

/** One mount as written. */
export interface MountOptions {
  type: MountType;
  /** a stage, an image, a named context; '' is none */
  from: string;
  source: string;
  target: string;
  readonly: boolean;
  /** bytes of a tmpfs; 0: no limit */
  size: number;
  id: string;
  sharing: MountSharing | undefined;
  required: boolean;
  /** the variable of a secret; '' is its default name */
  env: string | undefined;
  mode: number | undefined;
  uid: number | undefined;
  gid: number | undefined;
}

type Draft = Omit<MountOptions, 'readonly'> & { readonly: boolean | undefined };
type ReadField = (value: string, key: string, draft: Draft) => Partial<Draft>;

/** The fields that have a value, by name. */
const FIELDS: ReadonlyMap<string, ReadField> = new Map<string, ReadField>([
  ['type', readType],
  ['from', (value) => ({ from: value })],
  ...alias(['source', 'src'], (value) => ({ source: value })),
  ...alias(['target', 'dst', 'destination'], (value) => ({ target: value })),
  ...alias(['readonly', 'ro'], (value, key) => ({ readonly: bool(value, key) })),
  ...alias(['readwrite', 'rw'], (value, key) => ({ readonly: !bool(value, key) })),
  ['required', readRequired],
  ['size', readSize],
  ['id', (value) => ({ id: value })],
  ['sharing', readSharing],
  ['mode', (value) => ({ mode: unsigned(value, 8, 'mode') })],
  ['uid', (value) => ({ uid: unsigned(value, 10, 'uid') })],
  ['gid', (value) => ({ gid: unsigned(value, 10, 'gid') })],
  ['env', (value) => ({ env: value })],
]);
const TYPES_WITH_OWNER = new Set<MountType>(['secret', 'ssh', 'cache']);

function alias(names: readonly string[], read: ReadField): (readonly [string, ReadField])[] {
  return names.map((name) => [name, read]);
}

/**
 * What must be wrong already when the Dockerfile is read, before variables have values. Throws an Error in
 * BuildKit's words.
 */
export function checkMount(text: string): void {
  for (const field of csvFields(text)) {
    const [key, value] = splitField(field);
    if (key === 'from' && value !== undefined && /\$./s.test(value)) {
      throw new Error("'from' doesn't support variable expansion, define alias stage instead");
    }
  }
}

/** Reads the value of --mount, expanding variables in its fields. Throws an Error in BuildKit's words. */
export function parseMount(text: string, expand: (word: string) => string): MountOptions {
  const draft: Draft = {
    type: 'bind',
    from: '',
    source: '',
    target: '',
    readonly: undefined,
    size: 0,
    id: '',
    sharing: undefined,
    required: false,
    env: undefined,
    mode: undefined,
    uid: undefined,
    gid: undefined,
  };
  for (const field of csvFields(text)) {
    const [key, value] = splitField(field);
    if (value === undefined) {
      Object.assign(draft, readSwitch(draft, key, field));
      continue;
    }
    const read = FIELDS.get(key);
    const expanded = expand(value);
    if (read === undefined) {
      throw new Error(withSuggestion(`unexpected key '${key}' in '${field}'`, key, FIELDS.keys()));
    }
    Object.assign(draft, read(expanded, key, draft));
  }
  checkTogether(draft);
  const isReadonly = draft.readonly ?? (draft.type !== 'cache' && draft.type !== 'tmpfs');
  return { ...draft, readonly: isReadonly };
}

function splitField(field: string): [key: string, value: string | undefined] {
  const equals = field.indexOf('=');
  return equals < 0
    ? [field.toLowerCase(), undefined]
    : [field.slice(0, equals).toLowerCase(), field.slice(equals + 1)];
}

function readSwitch(draft: Draft, key: string, field: string): Partial<Draft> {
  if (key === 'readonly' || key === 'ro') return { readonly: true };
  if (key === 'readwrite' || key === 'rw') return { readonly: false };
  if (key === 'required') return readRequired('true', key, draft);
  throw new Error(`invalid field '${field}' must be a key=value pair`);
}

function readType(value: string): Partial<Draft> {
  const type = TYPES.find((one) => one === value.toLowerCase());
  if (type === undefined) {
    throw new Error(withSuggestion(`unsupported mount type ${quote(value)}`, value, TYPES));
  }
  return { type };
}

function readSharing(value: string): Partial<Draft> {
  const sharing = SHARING.find((one) => one === value.toLowerCase());
  if (sharing === undefined) {
    throw new Error(withSuggestion(`unsupported sharing value ${quote(value)}`, value, SHARING));
  }
  return { sharing };
}

function readRequired(value: string, key: string, draft: Draft): Partial<Draft> {
  if (draft.type !== 'secret' && draft.type !== 'ssh') {
    throw new Error(`unexpected key '${key}' for mount type '${draft.type}'`);
  }
  return { required: bool(value, key) };
}

function readSize(value: string, key: string, draft: Draft): Partial<Draft> {
  if (draft.type !== 'tmpfs') throw new Error(`unexpected key '${key}' for mount type '${draft.type}'`);
  const size = parseBytes(value);
  if (size === undefined) throw new Error(`invalid value for ${key}: ${value}`);
  return { size };
}

function bool(value: string, key: string): boolean {
  const parsed = parseBool(value);
  if (parsed === undefined) throw new Error(`invalid value for ${key}: ${value}`);
  return parsed;
}

function unsigned(value: string, base: 8 | 10, key: string): number {
  const digits = base === 8 ? /^[0-7]{1,12}$/ : /^\d{1,12}$/;
  const parsed = digits.test(value) ? Number.parseInt(value, base) : Number.NaN;
  if (!(parsed <= 0xffff_ffff)) throw new Error(`invalid value ${value} for ${key}`);
  return parsed;
}

function checkTogether(draft: Draft): void {
  if (!TYPES_WITH_OWNER.has(draft.type)) {
    for (const key of ['mode', 'uid', 'gid'] as const) {
      if (draft[key] !== undefined) throw new Error(`${key} not allowed for "${draft.type}" type mounts`);
    }
  }
  if (draft.type === 'secret') checkSecret(draft);
  if (draft.sharing !== undefined && draft.type !== 'cache') {
    throw new Error(`invalid cache sharing set for ${draft.type} mount`);
  }
}

function checkSecret(draft: Draft): void {
  if (draft.from !== '') throw new Error('secret mount should not have a from');
  if (draft.sharing !== undefined) throw new Error('secret mount should not define sharing');
  if (draft.source === '' && draft.target === '' && draft.id === '') {
    throw new Error('invalid secret mount. one of source, target required');
  }
  if (draft.source !== '' && draft.id !== '') throw new Error("both source and id can't be set");
}

/** The fields of one line of comma-separated values, with Go's rules for quotes (encoding/csv). */
export function csvFields(text: string): string[] {
  const fields: string[] = [];
  let rest = text;
  for (;;) {
    const quoted = /^"((?:[^"]|"")*)"(,|$)/.exec(rest);
    if (quoted === null && rest.startsWith('"')) {
      throw new Error(csvError(text, text.length - rest.length, 'extraneous or missing " in quoted-field'));
    }
    const comma = rest.indexOf(',');
    const bare = comma < 0 ? rest : rest.slice(0, comma);
    if (quoted === null && bare.includes('"')) {
      throw new Error(
        csvError(text, text.length - rest.length + bare.indexOf('"'), 'bare " in non-quoted-field'),
      );
    }
    fields.push(quoted === null ? bare : (quoted[1] ?? '').replaceAll('""', '"'));
    const taken = quoted === null ? bare.length + 1 : quoted[0].length;
    const isLast = quoted === null ? comma < 0 : quoted[2] === '';
    if (isLast) return fields;
    rest = rest.slice(taken);
  }
}

function csvError(text: string, index: number, message: string): string {
  const column = Buffer.byteLength(text.slice(0, index)) + 1;
  return `failed to parse csv mounts: parse error on line 1, column ${column}: ${message}`;
}

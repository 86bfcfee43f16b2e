// The outer archive of docker save and load: reading its members and writing them. (Layers are unpacked inside the sandbox.)

import { InvalidParameter } from '../errors.ts';
import { ByteReader, type Bytes } from './bytes.ts';

const BLOCK = 512;
const CHECKSUM = { start: 148, end: 156 };
/** A pax or GNU long name header of an outer archive; names in there are short. */
const MAX_LONG = 64 * 1024;
const MAX_MEMBERS = 20_000;

/** A member; `body` has to be read to its end before the next member. */
export interface Member {
  name: string;
  type: 'file' | 'directory' | 'link' | 'other';
  /** of a link, as it is written there */
  target: string;
  isSymlink: boolean;
  /** permission bits: 0o7777 */
  mode: number;
  uid: number;
  gid: number;
  /** seconds since the epoch */
  mtime: number;
  size: number;
  body: AsyncGenerator<Buffer>;
}

function checksum(block: Buffer): number {
  let sum = (CHECKSUM.end - CHECKSUM.start) * 0x20;
  for (let at = 0; at < BLOCK; at++) {
    if (at < CHECKSUM.start || at >= CHECKSUM.end) sum += block[at] ?? 0;
  }
  return sum;
}

function octal(field: Buffer): number {
  // GNU's form for what has more digits
  if (((field[0] ?? 0) & 0x80) !== 0) {
    const large = field.subarray(-6).readUIntBE(0, 6);
    if (field[0] !== 0x80 || field.subarray(1, -6).some((byte) => byte !== 0)) {
      throw new InvalidParameter('archive/tar: invalid tar header');
    }
    return large;
  }
  const value = Number.parseInt(text(field).trim() || '0', 8);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InvalidParameter('archive/tar: invalid tar header');
  return value;
}

function text(field: Buffer): string {
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? field.length : end).toString('utf8');
}

function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/** Whether a file that begins so is an archive itself: an empty one is zeros. */
export function looksLikeTar(start: Buffer): boolean {
  if (start.length < BLOCK) return false;
  const block = start.subarray(0, BLOCK);
  if (isZero(block)) return true;
  const written = Number.parseInt(text(block.subarray(CHECKSUM.start, CHECKSUM.end)).trim(), 8);
  return written === checksum(block);
}

/**
 * The members of an archive, in order; names without a leading `./`. Throws InvalidParameter.
 * @param limits members: how many there may be at most
 */
export async function* readTar(
  source: Bytes,
  limits: { members: number } = { members: MAX_MEMBERS },
): AsyncGenerator<Member> {
  const reader = new ByteReader(source);
  let name: string | undefined;
  let target: string | undefined;
  let largeSize: number | undefined;
  for (let count = 0; ; count++) {
    const block = await reader.read(BLOCK);
    if (block.length === 0 || (block.length === BLOCK && isZero(block))) return;
    if (block.length < BLOCK) throw new InvalidParameter('unexpected EOF');
    if (!looksLikeTar(block)) throw new InvalidParameter('archive/tar: invalid tar header');
    if (count > limits.members) throw new InvalidParameter('the archive has too many members');
    const type = String.fromCharCode(block[156] ?? 0);
    const isHeader = 'xgLK'.includes(type);
    const size = (isHeader ? undefined : largeSize) ?? octal(block.subarray(124, 136));
    const padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if (isHeader) {
      if (size > MAX_LONG) throw new InvalidParameter('a header of the archive is too long');
      const body = (await reader.read(size)).subarray(0, size);
      await reader.read(padding);
      if (type === 'L') name = text(body);
      if (type === 'K') target = text(body);
      if (type === 'x') ({ name = name, target = target, size: largeSize = largeSize } = readPax(body));
      continue;
    }
    const prefix = block.subarray(257, 263).equals(Buffer.from('ustar\0'))
      ? text(block.subarray(345, 500))
      : '';
    const short = text(block.subarray(0, 100));
    const body = reader.portion(size);
    yield {
      name: plainName(name ?? (prefix === '' ? short : `${prefix}/${short}`)),
      type: TYPES[type] ?? 'other',
      target: target ?? text(block.subarray(157, 257)),
      isSymlink: type === '2',
      mode: octal(block.subarray(100, 108)) & 0o7777,
      uid: octal(block.subarray(108, 116)),
      gid: octal(block.subarray(116, 124)),
      mtime: octal(block.subarray(136, 148)),
      size,
      body,
    };
    name = undefined;
    target = undefined;
    largeSize = undefined;
    while (!(await body.next()).done);
    await reader.read(padding);
  }
}

const TYPES: Record<string, Member['type']> = {
  '\0': 'file',
  '0': 'file',
  '5': 'directory',
  '1': 'link',
  '2': 'link',
};

function readPax(body: Buffer): { name?: string; target?: string; size?: number } {
  const found: { name?: string; target?: string; size?: number } = {};
  for (let at = 0; at < body.length; ) {
    const blank = body.indexOf(0x20, at);
    const length = Number(body.subarray(at, Math.max(blank, at)).toString('latin1'));
    if (blank < 0 || !Number.isSafeInteger(length) || length < 5 || at + length > body.length) {
      throw new InvalidParameter('archive/tar: invalid tar header');
    }
    const record = body.subarray(blank + 1, at + length - 1).toString('utf8');
    if (record.startsWith('path=')) found.name = record.slice('path='.length);
    if (record.startsWith('linkpath=')) found.target = record.slice('linkpath='.length);
    if (record.startsWith('size=')) {
      found.size = Number(record.slice('size='.length));
      if (!Number.isSafeInteger(found.size) || found.size < 0) {
        throw new InvalidParameter('archive/tar: invalid tar header');
      }
    }
    at += length;
  }
  return found;
}

function plainName(name: string): string {
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

/** The header of a file with a name of up to 100 bytes. */
export function tarHeader(name: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 100, 'utf8');
  block.write('0000644\0' + '0000000\0' + '0000000\0', 100, 'latin1');
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  block.write(`${'0'.repeat(11)}\0`, 136, 'latin1');
  block.write('0', 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, CHECKSUM.start, 'latin1');
  return block;
}

/** What follows a file's bytes. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** The end of an archive. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

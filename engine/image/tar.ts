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
  size: number;
  body: AsyncGenerator<Buffer>;
}

function checksum(block: Buffer): number {
  return block.reduce(
    (sum, byte, index) => sum + (index >= CHECKSUM.start && index < CHECKSUM.end ? 0x20 : byte),
    0,
  );
}

function octal(field: Buffer): number {
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

/** The members of an archive, in order; names without a leading `./`. Throws InvalidParameter. */
export async function* readTar(source: Bytes): AsyncGenerator<Member> {
  const reader = new ByteReader(source);
  let name: string | undefined;
  let target: string | undefined;
  for (let count = 0; ; count++) {
    const block = await reader.read(BLOCK);
    if (block.length === 0 || (block.length === BLOCK && isZero(block))) return;
    if (block.length < BLOCK) throw new InvalidParameter('unexpected EOF');
    if (!looksLikeTar(block)) throw new InvalidParameter('archive/tar: invalid tar header');
    if (count > MAX_MEMBERS) throw new InvalidParameter('the archive has too many members');
    const size = octal(block.subarray(124, 136));
    const padding = (BLOCK - (size % BLOCK)) % BLOCK;
    const type = String.fromCharCode(block[156] ?? 0);
    if ('xgLK'.includes(type)) {
      if (size > MAX_LONG) throw new InvalidParameter('a header of the archive is too long');
      const body = (await reader.read(size)).subarray(0, size);
      await reader.read(padding);
      if (type === 'L') name = text(body);
      if (type === 'K') target = text(body);
      if (type === 'x') ({ name = name, target = target } = readPax(body));
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
      size,
      body,
    };
    name = undefined;
    target = undefined;
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

function readPax(body: Buffer): { name?: string; target?: string } {
  const found: { name?: string; target?: string } = {};
  for (let at = 0; at < body.length; ) {
    const blank = body.indexOf(0x20, at);
    const length = Number(body.subarray(at, Math.max(blank, at)).toString('latin1'));
    if (blank < 0 || !Number.isSafeInteger(length) || length < 5 || at + length > body.length) {
      throw new InvalidParameter('archive/tar: invalid tar header');
    }
    const record = body.subarray(blank + 1, at + length - 1).toString('utf8');
    if (record.startsWith('path=')) found.name = record.slice('path='.length);
    if (record.startsWith('linkpath=')) found.target = record.slice('linkpath='.length);
    // members of outer archives above 8 GiB do not fit on a sandbox's disk
    if (record.startsWith('size=')) throw new InvalidParameter('a member of the archive is too large');
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

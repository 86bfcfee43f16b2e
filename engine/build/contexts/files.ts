// Files of a context on their way into the sandbox: an archive for `berth-init layer receive`, made member by member.

import { TAR_END, tarPadding } from '../../image/tar.ts';
import type { ContextEntry } from '../context.ts';

const BLOCK = 512;

/** An entry with the time that its front told, nanoseconds since the epoch. */
export interface StoredEntry extends ContextEntry {
  readonly mtime: bigint;
  /** path of the entry that this is another name of (hard link); '' for a file of its own */
  readonly linkOf: string;
}

const TYPES: Record<ContextEntry['type'], string> = {
  file: '0',
  symlink: '2',
  // a sandbox may not make device nodes; berth-init makes nothing of them
  device: '4',
  directory: '5',
  fifo: '6',
};
const REMOVE = 'R';
const HARD_LINK = '1';

/** A member that takes a file, or a directory with all that is in it, away. */
export function removalHeader(path: string): Buffer {
  return header({ path, target: '', type: REMOVE, mode: 0, uid: 0, gid: 0, size: 0, mtime: 0n });
}

/** The header of an entry; a file's bytes and `tarPadding` follow. */
export function entryHeader(entry: StoredEntry): Buffer {
  const { path, mode, uid, gid, mtime } = entry;
  if (entry.linkOf !== '') {
    return header({ path, target: entry.linkOf, type: HARD_LINK, mode, uid, gid, size: 0, mtime });
  }
  const size = entry.type === 'file' ? entry.size : 0;
  return header({ path, target: entry.target, type: TYPES[entry.type], mode, uid, gid, size, mtime });
}

export { TAR_END as archiveEnd, tarPadding as padding };

interface Header {
  path: string;
  target: string;
  type: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: bigint;
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`;
}

function header({ path, target, type, mode, uid, gid, size, mtime }: Header): Buffer {
  const seconds = Number(mtime / 1_000_000_000n);
  const records: [string, string][] = [];
  if (Buffer.byteLength(path) > 100) records.push(['path', path]);
  if (Buffer.byteLength(target) > 100) records.push(['linkpath', target]);
  if (size >= 8 ** 11) records.push(['size', String(size)]);
  if (seconds < 0 || seconds >= 8 ** 11) records.push(['mtime', String(seconds)]);
  const fits = (value: number) => (value >= 0 && value < 8 ** 11 ? value : 0);
  const block = ustar(type, mode, uid, gid, fits(size), fits(seconds));
  block.write(path, 0, 100, 'utf8');
  block.write(target, 157, 100, 'utf8');
  if (records.length === 0) return sealed(block);
  const body = Buffer.from(records.map(([key, value]) => paxRecord(key, value)).join(''), 'utf8');
  const first = ustar('x', 0o644, 0, 0, body.length, 0);
  return Buffer.concat([sealed(first), body, tarPadding(body.length), sealed(block)]);
}

function ustar(type: string, mode: number, uid: number, gid: number, size: number, mtime: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(
    octal(mode, 8) + octal(uid, 8) + octal(gid, 8) + octal(size, 12) + octal(mtime, 12),
    100,
    'latin1',
  );
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  return block;
}

function sealed(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** `length key=value\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(key) + Buffer.byteLength(value) + 3;
  let length = rest + 1;
  while (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

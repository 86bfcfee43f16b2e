// docker cp, both ways: what a path in a container is, an archive of it, and an archive's files put below it.

import path from 'node:path';
import { InvalidParameter, SystemError } from '../errors.ts';
import { formatNanos, ZERO_TIME } from '../events/clock.ts';
import type { Bytes } from '../image/bytes.ts';
import { decompress } from '../image/layer-tool.ts';
import type { Container } from './container.ts';
import type { ContainerParts } from './parts.ts';
import { resolveUser } from './user.ts';
import { PLAIN_VIEW, pathInContainer, viewContainer } from './view.ts';

/** `X-Docker-Container-Path-Stat` */
export interface PathStat {
  name: string;
  size: number;
  /** as Go's os.FileMode */
  mode: number;
  /** RFC 3339 with nanoseconds */
  mtime: string;
  linkTarget: string;
}

/** The longest answer to stat: numbers and a path. */
const MAX_STAT = 8192;

/** HEAD: what is at a path. Throws PathNotFound. */
export async function statPath(
  parts: ContainerParts,
  container: Container,
  target: string,
  signal: AbortSignal,
): Promise<PathStat> {
  const absolute = pathInContainer(target);
  const output = viewContainer(parts, container, { ...PLAIN_VIEW, verb: 'stat', path: absolute, signal });
  const { stat } = await takeStat(output, absolute);
  await output.return(undefined);
  return stat;
}

/** GET: what is at a path, and an archive of it. */
export async function getArchive(
  parts: ContainerParts,
  container: Container,
  target: string,
  signal: AbortSignal,
): Promise<{ stat: PathStat; archive: AsyncGenerator<Buffer> }> {
  const absolute = pathInContainer(target);
  const name = absolute.endsWith('/.') ? '.' : path.posix.basename(absolute);
  const output = viewContainer(parts, container, {
    ...PLAIN_VIEW,
    verb: 'get',
    path: absolute,
    name,
    signal,
  });
  const { stat, rest } = await takeStat(output, absolute);
  parts.events.publish('container', 'archive-path', container.id, container.attributes);
  return { stat, archive: after(rest, output) };
}

async function* after(first: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (first.length > 0) yield first;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

/** The tool says first what it found: mode, size, seconds, nanoseconds and where a link leads, up to a NUL. */
async function takeStat(
  output: AsyncGenerator<Buffer>,
  absolute: string,
): Promise<{ stat: PathStat; rest: Buffer }> {
  let bytes = Buffer.alloc(0);
  while (!bytes.includes(0) && bytes.length < MAX_STAT) {
    const { done, value } = await output.next();
    if (done) break;
    bytes = Buffer.concat([bytes, value]);
  }
  const end = bytes.indexOf(0);
  const text = bytes.subarray(0, Math.max(end, 0)).toString('utf8');
  const match = /^([0-7]{1,7}) (\d{1,16}) (-?\d{1,12}) (\d{1,9}) (.*)$/s.exec(text);
  if (!match) {
    await output.return(undefined);
    throw new SystemError('the sandbox answered nonsense about a file');
  }
  const [, mode = '', size, seconds = '', nanos = '', linkTarget = ''] = match;
  const stat = {
    name: absolute.endsWith('/.') ? '.' : path.posix.basename(absolute) || '/',
    size: Number(size),
    mode: goFileMode(Number.parseInt(mode, 8)),
    mtime: formatNanos(BigInt(seconds) * 1_000_000_000n + BigInt(nanos)),
    linkTarget,
  };
  return { stat, rest: bytes.subarray(end + 1) };
}

/** Kinds of files by st_mode's highest bits, in the bits of Go's os.FileMode. */
const KINDS: Readonly<Record<number, number>> = {
  1: 2 ** 25, // FIFO: ModeNamedPipe
  2: 2 ** 26 + 2 ** 21, // character device: ModeDevice, ModeCharDevice
  4: 2 ** 31, // ModeDir
  6: 2 ** 26, // block device: ModeDevice
  10: 2 ** 27, // ModeSymlink
  12: 2 ** 24, // ModeSocket
};

/** https://pkg.go.dev/io/fs#FileMode */
export function goFileMode(stMode: number): number {
  const special = [
    [0o4000, 2 ** 23],
    [0o2000, 2 ** 22],
    [0o1000, 2 ** 20],
  ] as const;
  const bits = special.filter(([bit]) => (stMode & bit) !== 0).map(([, go]) => go);
  return [KINDS[stMode >> 12] ?? 0, ...bits].reduce((sum, bit) => sum + bit, stMode & 0o777);
}

export interface PutOptions {
  path: string;
  /** noOverwriteDirNonDir */
  keepsKinds: boolean;
  /** copyUIDGID: everything belongs to the container's user */
  setsOwner: boolean;
  signal: AbortSignal;
}

/** PUT: an archive's files, plain or compressed, below a directory. */
export async function putArchive(
  parts: ContainerParts,
  container: Container,
  archive: Bytes,
  options: PutOptions,
): Promise<void> {
  const output = viewContainer(parts, container, {
    ...PLAIN_VIEW,
    verb: 'put',
    path: pathInContainer(options.path),
    keepsKinds: options.keepsKinds,
    owner: options.setsOwner ? await ownerOf(parts, container) : undefined,
    input: decompress(parts.sandbox.init, archive, options.signal),
    signal: options.signal,
  });
  for await (const _nothing of output);
  parts.events.publish('container', 'extract-to-dir', container.id, container.attributes);
}

async function ownerOf(
  parts: ContainerParts,
  { record }: Container,
): Promise<{ uid: number; gid: number } | undefined> {
  const { User } = record.config;
  if (User === '') return undefined;
  const { passwd, group } = await parts.accounts.read(record, record.state.startedAt !== ZERO_TIME);
  return resolveUser(User, passwd, group);
}

/** Throws what Docker says of a path that it cannot take. */
export function checkPath(text: string): void {
  if (text === '') throw new InvalidParameter('bad parameter: pathcannot be empty');
  if (text.includes('\0')) throw new InvalidParameter('invalid argument');
}

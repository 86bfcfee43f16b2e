// Layers on a sandbox's own disk: unpacked, packed and read by berth-init's `layer` commands, run as processes in there.

import { randomBytes } from 'node:crypto';
import { SystemError } from '../errors.ts';
import type { InitApi, Step } from '../sandbox/init-types.ts';
import { IN_SANDBOX } from '../sandbox/sandbox.ts';
import { endTools, runProgram, runTool } from '../sandbox/tool.ts';
import { ByteReader, type Bytes, type Compression, compressionOf, Digester, gunzip } from './bytes.ts';
import { layerDirName } from './layer.ts';

/** Moving directories within a disk is quick, but the disk may be busy. */
const MOVE_TIMEOUT = 60_000;

/** Unpacked, but not in its place: what is below is removed when the engine starts. */
export const STAGING = `${IN_SANDBOX.dockerRoot}/staging`;
/** What archives had between the contents of files. */
const SPLITS = `${IN_SANDBOX.dockerRoot}/image/splits`;

/** A layer that was unpacked and checked, waiting to be put in its place. */
export interface StagedLayer {
  diffId: string;
  /** bytes of the archive, uncompressed */
  archiveSize: number;
  /** bytes of its files */
  size: number;
  directory: string;
}

/** Where a private layer's files lie in the sandbox. */
export function privateLayerDir(diffId: string): string {
  return `${IN_SANDBOX.dockerRoot}/overlay2/${layerDirName(diffId)}`;
}

function splitPath(diffId: string): string {
  return `${SPLITS}/${layerDirName(diffId)}`;
}

/** Unpacks an archive (not compressed) and tells what it was. Nothing is left when it fails. */
export async function unpackLayer(init: InitApi, archive: Bytes, signal?: AbortSignal): Promise<StagedLayer> {
  const directory = `${STAGING}/${randomBytes(8).toString('hex')}`;
  const digester = new Digester();
  try {
    await init.start([{ kind: 'mkdir', path: `${directory}/files`, mode: 0o755 }]);
    const output = layerProcess(init, ['unpack', `${directory}/files`, `${directory}/split`], {
      input: digester.pass(archive),
      ...(signal ? { signal } : {}),
    });
    let text = '';
    for await (const chunk of output) if (text.length < 100) text += chunk.toString('utf8');
    const size = Number(/^(\d{1,15})\n$/.exec(text)?.[1] ?? Number.NaN);
    if (!Number.isSafeInteger(size)) throw new SystemError('the sandbox answered nonsense to an unpacking');
    return { diffId: digester.digest(), archiveSize: digester.size, size, directory };
  } catch (error) {
    await discardLayer(init, { directory }).catch(() => undefined);
    throw error;
  }
}

/** Takes away a layer that is not wanted. */
export async function discardLayer(init: InitApi, { directory }: { directory: string }): Promise<void> {
  await init.start([{ kind: 'rmtree', path: directory }]);
}

/** Puts a layer in its place. */
export async function placeLayer(init: InitApi, layer: StagedLayer): Promise<void> {
  const move = (from: string, to: string): Step => ({
    kind: 'exec',
    argv: ['mv', '-T', '--', from, to],
    timeout: MOVE_TIMEOUT,
  });
  await init.start([
    { kind: 'mkdir', path: SPLITS, mode: 0o700 },
    { kind: 'mkdir', path: `${IN_SANDBOX.dockerRoot}/overlay2` },
    ...removeLayerSteps(layer.diffId),
    move(`${layer.directory}/files`, privateLayerDir(layer.diffId)),
    move(`${layer.directory}/split`, splitPath(layer.diffId)),
    { kind: 'rmtree', path: layer.directory },
  ]);
}

export function removeLayerSteps(diffId: string): Step[] {
  return [
    { kind: 'rmtree', path: privateLayerDir(diffId) },
    { kind: 'rmtree', path: splitPath(diffId) },
  ];
}

/** The archive of a private layer, as it was unpacked. */
export function readLayer(init: InitApi, diffId: string, signal?: AbortSignal): AsyncGenerator<Buffer> {
  return layerProcess(init, ['join', privateLayerDir(diffId), splitPath(diffId)], signal ? { signal } : {});
}

/** An overlay's upper directory as a layer archive. @param latest seconds since the epoch: no time in it is later */
export function packLayer(
  init: InitApi,
  directory: string,
  signal?: AbortSignal,
  latest?: number,
): AsyncGenerator<Buffer> {
  const limit = latest === undefined ? [] : ['-', String(latest)];
  return layerProcess(init, ['pack', directory, ...limit], signal ? { signal } : {});
}

/** Programs of the lab host: what an archive becomes costs the student, not the engine. */
const DECOMPRESSORS: Record<Exclude<Compression, 'gzip'>, readonly string[]> = {
  bzip2: ['bzip2', '-dc'],
  xz: ['xz', '-dc', '--memlimit-decompress=256MiB'],
  zstd: ['zstd', '-dcq', '--memory=256MB'],
};

/** Decompresses gzip, bzip2, xz and zstd, and passes on what is not compressed. Throws InvalidParameter. */
export async function* decompress(
  init: InitApi,
  source: Bytes,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(source);
  const compression = compressionOf(await reader.peek(6));
  if (compression === undefined) {
    yield* reader.all();
  } else if (compression === 'gzip') {
    yield* gunzip(reader.all());
  } else {
    const options = { input: reader.all(), ...(signal ? { signal } : {}) };
    yield* runProgram(init, { name: 'layer', argv: DECOMPRESSORS[compression], ...options });
  }
}

/** Runs a `layer` command; its output streams by, and it throws when the command fails or the signal aborts. */
export function layerProcess(
  init: InitApi,
  args: readonly string[],
  options: { input?: Bytes; signal?: AbortSignal; onMessage?(text: string): void },
): AsyncGenerator<Buffer> {
  return runTool(init, { name: 'layer', args, ...options });
}

/** Ends what an engine before this one left at work, and takes away what it had not put in its place. */
export async function clearStaging(init: InitApi): Promise<void> {
  await endTools(init, 'layer');
  await init.start([{ kind: 'rmtree', path: STAGING }]);
}

// Layers on a sandbox's own disk: unpacked, packed and read by berth-init's `layer` commands, run as processes in there.

import { randomBytes } from 'node:crypto';
import { messageOf, SystemError } from '../errors.ts';
import type { InitApi, ProcessSpec, Step } from '../sandbox/init-types.ts';
import { IN_SANDBOX } from '../sandbox/sandbox.ts';
import { ByteReader, type Bytes, type Compression, compressionOf, Digester, gunzip } from './bytes.ts';
import { layerDirName } from './layer.ts';

const SIGKILL = 9;
const MAX_COMPLAINT = 4000;
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
    yield* sandboxProcess(init, DECOMPRESSORS[compression], options);
  }
}

/** Runs a `layer` command. */
export function layerProcess(
  init: InitApi,
  args: readonly string[],
  options: { input?: Bytes; signal?: AbortSignal; onMessage?(text: string): void },
): AsyncGenerator<Buffer> {
  return sandboxProcess(init, ['/usr/sbin/berth-init', 'layer', ...args], options);
}

/** Runs a program of the sandbox; its output streams by, and it throws when the command fails or the signal aborts. */
async function* sandboxProcess(
  init: InitApi,
  argv: readonly string[],
  options: { input?: Bytes; signal?: AbortSignal; onMessage?(text: string): void },
): AsyncGenerator<Buffer> {
  const { input, signal } = options;
  const spec: ProcessSpec = {
    key: `layer.${randomBytes(8).toString('hex')}`,
    argv,
    env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
    openStdin: input !== undefined,
    stdinOnce: input !== undefined,
  };
  signal?.throwIfAborted();
  await init.reserve(spec);
  const attachment = await init.attach(spec.key, {
    stdin: input !== undefined,
    stdinOnce: input !== undefined,
    stdout: true,
    stderr: true,
  });
  const kill = () => init.signal(spec.key, SIGKILL).catch(() => undefined);
  signal?.addEventListener('abort', kill, { once: true });
  const ending = new AbortController();
  let isOver = false;
  try {
    await init.start([], spec);
    const ended = init.waitExit(spec.key, ending.signal);
    ended.catch(() => undefined);
    const over = ended.then(
      () => undefined,
      () => undefined,
    );
    const feeding = input ? feed(attachment.stdin, input, over) : Promise.resolve();
    // An input that fails leaves half an archive, which must not look like a whole one.
    feeding.catch(kill);
    let complaint = '';
    for await (const { stream, data } of attachment.output) {
      if (stream === 'stdout') yield data;
      else if (complaint.length < MAX_COMPLAINT) complaint += data.toString('utf8');
    }
    await feeding;
    signal?.throwIfAborted();
    const { status } = await ended;
    isOver = true;
    if (status === 0) options.onMessage?.(complaint);
    if (status !== 0) throw new SystemError(complaint.trim() || `the layer's process ended with ${status}`);
  } finally {
    signal?.removeEventListener('abort', kill);
    attachment.close();
    if (!isOver) {
      await kill();
      await init.waitExit(spec.key, AbortSignal.timeout(5000)).catch(() => undefined);
    }
    ending.abort();
    await init.forget(spec.key).catch(() => undefined);
  }
}

/** Writes as fast as the process reads; ends quietly when it has ended. */
async function feed(
  stdin: { write(chunk: Uint8Array): boolean; end(): void; once(event: 'drain', listener: () => void): void },
  input: Bytes,
  over: Promise<void>,
): Promise<void> {
  let isOver = false;
  over.then(() => {
    isOver = true;
  });
  for await (const chunk of input) {
    if (isOver) return;
    if (stdin.write(chunk)) continue;
    await Promise.race([new Promise<void>((resolve) => stdin.once('drain', resolve)), over]);
  }
  stdin.end();
}

/** Ends what an engine before this one left at work, and takes away what it had not put in its place. */
export async function clearStaging(init: InitApi): Promise<void> {
  for (const { key } of init.processes()) {
    if (!key.startsWith('layer.')) continue;
    await init.signal(key, SIGKILL).catch(() => undefined);
    await init
      .waitExit(key, AbortSignal.timeout(5000))
      .then(() => init.forget(key))
      .catch((error: unknown) => {
        throw new SystemError(`a layer's process does not end: ${messageOf(error)}`, { cause: error });
      });
  }
  await init.start([{ kind: 'rmtree', path: STAGING }]);
}

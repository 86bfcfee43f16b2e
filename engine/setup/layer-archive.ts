// From a directory to an image layer: one archive with reproducible bytes, its blob in the store, its files unpacked beside.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type StoredLayer, writeLayerBlob } from '../image/blobs.ts';
import { imagesDir, layerDirName } from '../image/layer.ts';
import { runProgram } from './program.ts';

/** A layer in the store, and how many bytes its files have. */
export interface BuiltLayer extends StoredLayer {
  unpackedSize: number;
}

/** Fast enough not to be felt, and within a few percent of the best. */
const GZIP_LEVEL = 6;

/**
 * Stores a directory as a layer above `lower` (unpacked layers): `dir` itself becomes the unpacked layer (it is moved), so its content is what the
 * digest says. Overlay's whiteouts and opaque directories become the image-spec's `.wh.` names in the archive.
 */
export async function storeLayer(
  dataDir: string,
  workDir: string,
  dir: string,
  lower: readonly string[],
  date: Date,
  signal?: AbortSignal,
): Promise<BuiltLayer> {
  const options = signal ? { signal } : {};
  const epoch = `@${Math.floor(date.getTime() / 1000)}`;
  await runProgram(['find', dir, '-newermt', epoch, '-exec', 'touch', '-h', '-d', epoch, '{}', '+'], options);
  const source = await withWhiteoutNames(dir, lower, workDir, options);
  const stored = await archive(dataDir, source, epoch, signal);
  if (source !== dir) await fs.rm(source, { recursive: true, force: true });
  const unpackedSize = await sizeOfFiles(dir, options);

  const place = path.join(imagesDir(dataDir), 'layers', layerDirName(stored.diffId));
  await fs.mkdir(path.dirname(place), { recursive: true });
  const there = await fs.lstat(place).then(
    () => true,
    () => false,
  );
  if (!there) await fs.rename(dir, place);
  return { ...stored, unpackedSize };
}

async function archive(
  dataDir: string,
  dir: string,
  epoch: string,
  signal?: AbortSignal,
): Promise<StoredLayer> {
  const tar = spawn(
    'tar',
    [
      ...['--create', '--file=-', `--directory=${dir}`, '--format=pax', '--sort=name', '--numeric-owner'],
      // pax headers without what differs from build to build
      ...['--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime'],
      ...[`--mtime=${epoch}`, '--clamp-mtime', '--xattrs', '--xattrs-include=security.capability'],
      // names without a leading ./, in hard links too, but not what symbolic links point to
      ...['--transform=flags=rhS;s,^\\./\\(.\\),\\1,', '.'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], ...(signal ? { signal } : {}) },
  );
  // Node throws away what a program that has ended wrote, unless somebody is already reading it.
  const bytes = tar.stdout.pipe(new PassThrough());
  const complaint = text(tar.stderr);
  const ended = new Promise<number | null>((resolve, reject) => {
    tar.once('error', reject);
    tar.once('close', resolve);
  });
  const [stored, code] = await Promise.all([writeLayerBlob(dataDir, bytes, GZIP_LEVEL), ended]);
  if (code !== 0) throw new Error(`tar failed: ${(await complaint).trim()}`);
  return stored;
}

/**
 * Where overlay wrote whiteouts (character devices 0/0) or opaque directories, a copy made of hard links with the names
 * that archives use instead; `dir` itself where there are none.
 */
async function withWhiteoutNames(
  dir: string,
  lower: readonly string[],
  workDir: string,
  options: { signal?: AbortSignal },
): Promise<string> {
  const whiteouts = await findRelative(dir, ['-type', 'c'], options);
  // Overlay marks every new directory; only where something lies below does it mean anything.
  const marked = await findOpaque(dir, workDir, options);
  const opaque = marked.filter((name) => lower.some((layer) => existsSync(path.join(layer, name))));
  if (whiteouts.length === 0 && opaque.length === 0) return dir;
  const copy = `${dir}.archive`;
  await runProgram(['cp', '--archive', '--link', dir, copy], options);
  for (const name of whiteouts) {
    await fs.unlink(path.join(copy, name));
    await fs.writeFile(path.join(copy, path.dirname(name), `.wh.${path.basename(name)}`), '');
  }
  for (const name of opaque) await fs.writeFile(path.join(copy, name, '.wh..wh..opq'), '');
  return copy;
}

async function findRelative(
  dir: string,
  test: string[],
  options: { signal?: AbortSignal },
): Promise<string[]> {
  const output = await runProgram(['find', dir, '-mindepth', '1', ...test, '-printf', '%P\\n'], options);
  return output.split('\n').filter((line) => line !== '');
}

/** Directories with overlay's mark `user.overlay.opaque`; tar reads extended attributes everywhere that coreutils are. */
async function findOpaque(
  dir: string,
  workDir: string,
  options: { signal?: AbortSignal },
): Promise<string[]> {
  const list = path.join(workDir, 'directories');
  const directories = await findRelative(dir, ['-type', 'd'], options);
  await fs.writeFile(list, directories.map((name) => `${name}\0`).join(''));
  const listing = await runProgram(
    [
      'sh',
      '-c',
      // `tar --list -vv` names the attributes that --xattrs stored, one a line below their entry
      'tar --create --directory="$1" --no-recursion --null --files-from="$2" --xattrs --xattrs-include="user.overlay.*" | tar --list --xattrs -vv --quoting-style=escape',
      'opaque',
      dir,
      list,
    ],
    options,
  );
  return opaqueNames(listing);
}

/** The directories in a `tar --list -vv --xattrs` listing that carry `user.overlay.opaque`. */
export function opaqueNames(listing: string): string[] {
  const names: string[] = [];
  let current = '';
  for (const line of listing.split('\n')) {
    const entry = /^d\S+\s+\S+\s+\d+\s+\S+\s+\S+\s+(.*)\/$/.exec(line)?.[1];
    if (entry !== undefined) current = entry;
    else if (/^\s+x: \d+ user\.overlay\.opaque$/.test(line) && current !== '') names.push(current);
  }
  return names;
}

/** Bytes of all regular files, each counted once however many names it has. */
async function sizeOfFiles(dir: string, options: { signal?: AbortSignal }): Promise<number> {
  const output = await runProgram(['find', dir, '-type', 'f', '-printf', '%i %s\\n'], options);
  const sizes = new Map<string, number>();
  for (const line of output.split('\n')) {
    const [inode = '', size = '0'] = line.split(' ');
    sizes.set(inode, Number(size));
  }
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

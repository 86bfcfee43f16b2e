// Hostile and odd archives through `berth-init layer`, as it is compiled.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const CANNOT = process.getuid?.() !== 0 ? 'not root' : !existsSync('/usr/bin/cc') ? 'no cc' : undefined;
const BUILD = fileURLToPath(new URL('build.sh', import.meta.url));

interface Member {
  name: string;
  type?: string;
  link?: string;
  data?: string;
}

function header({ name, type = '0', link = '', data = '' }: Member): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, 100);
  block.write('0000755\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000001\0', 136);
  block.write('        ', 148);
  block.write(type, 156);
  block.write(link, 157, 100);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function archive(...members: Member[]): Buffer {
  const parts = members.flatMap((member) => {
    const data = Buffer.from(member.data ?? '');
    return [header(member), data, Buffer.alloc((512 - (data.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

describe.skipIf(CANNOT)(`berth-init layer${CANNOT ? ` (${CANNOT})` : ''}`, () => {
  let work: string;
  let root: string;
  let split: string;
  beforeAll(async () => {
    work = await mkdtemp(path.join(os.tmpdir(), 'berth-layer-'));
    expect((await run('sh', [BUILD, work], Buffer.alloc(0))).stderr).toBe('');
  }, 60_000);
  afterAll(() => rm(work, { recursive: true, force: true }));
  beforeEach(async () => {
    root = path.join(await mkdtemp(path.join(work, 'case-')), 'root');
    split = path.join(path.dirname(root), 'split');
    await mkdir(root);
  });

  async function run(file: string, args: string[], input: Buffer) {
    const child = spawn(file, args, { stdio: 'pipe' });
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    const code = new Promise<number | null>((resolve) => child.once('close', resolve));
    const [stdout, stderr] = await Promise.all([buffer(child.stdout), text(child.stderr)]);
    return { code: await code, stdout, stderr };
  }
  const layer = (args: string[], input: Buffer = Buffer.alloc(0)) =>
    run(path.join(work, 'berth-init'), ['layer', ...args], input);
  const unpack = (input: Buffer) => layer(['unpack', root, split], input);

  it.each<[string, Member[], RegExp]>([
    ['..', [{ name: 'a/../../out' }], /breakout/],
    ['.. in a hard link', [{ name: 'h', type: '1', link: '../../etc/passwd' }], /breakout/],
    ['a whiteout of ..', [{ name: 'd/.wh...' }], /breakout/],
    ['a whiteout of nothing', [{ name: '.wh.' }], /breakout/],
    ['a hard link to a file of the host', [{ name: 'h', type: '1', link: '/etc/passwd' }], /No such file/],
    ['sparse files', [{ name: 's', type: 'S' }], /sparse/],
  ])('refuses %s', async (_what, members, complaint) => {
    const result = await unpack(archive(...members));
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(complaint);
  });

  it('stays inside with symbolic links as parents, and replaces one rather than writing through it', async () => {
    const outside = path.join(path.dirname(root), 'outside');
    await mkdir(outside);
    const through = await unpack(
      archive({ name: 'l', type: '2', link: outside }, { name: 'l/file', data: 'x' }),
    );
    expect(through.code).toBe(1);
    expect(await readdir(outside)).toEqual([]);
    await rm(root, { recursive: true });
    await rm(split);
    await mkdir(root);
    const replaced = await unpack(
      archive({ name: 'l', type: '2', link: '/etc/passwd' }, { name: 'l', data: 'mine' }),
    );
    expect(replaced.code).toBe(0);
    expect(await readFile(path.join(root, 'l'), 'utf8')).toBe('mine');
  });

  it('makes no devices, and whiteouts of deletions', async () => {
    const result = await unpack(
      archive({ name: 'sda', type: '4' }, { name: 'kmem', type: '3' }, { name: 'd/.wh.gone' }),
    );
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(await readdir(root)).toEqual(['d']);
    const gone = await stat(path.join(root, 'd/gone'));
    expect([gone.isCharacterDevice(), gone.rdev]).toEqual([true, 0]);
  });

  it('puts the archive together again byte for byte, and notices a changed file', async () => {
    const bytes = Buffer.concat([
      archive({ name: '/abs/./file', data: 'content' }, { name: 'sda', type: '4' }, { name: 'e', data: '' }),
      Buffer.alloc(8192),
      Buffer.from('what follows the end'),
    ]);
    expect((await unpack(bytes)).stdout.toString()).toBe('7\n');
    const joined = await layer(['join', root, split]);
    expect(joined.stdout.equals(bytes)).toBe(true);
    await rm(path.join(root, 'abs/file'));
    expect((await layer(['join', root, split])).code).toBe(1);
  });

  it('puts an archive together again that has a path twice, or a link in the place of a directory', async () => {
    const bytes = archive(
      { name: 'f', data: 'first' },
      { name: 'd/a', data: 'below' },
      { name: 'f', data: 'second, longer' },
      { name: 'h', type: '1', link: 'f' },
      { name: 'f', data: '' },
      { name: 'd', type: '2', link: 'elsewhere' },
      { name: 'f', data: 'last' },
      { name: '.wh.h' },
    );
    expect(await unpack(bytes)).toMatchObject({ code: 0 });
    expect(await readFile(path.join(root, 'f'), 'utf8')).toBe('last');
    const joined = await layer(['join', root, split]);
    expect(joined.stderr).toBe('');
    expect(joined.stdout.equals(bytes)).toBe(true);
  });

  it('refuses what is no archive, and half an archive', async () => {
    expect((await unpack(Buffer.alloc(2048, 'no archive'))).stderr).toMatch(/invalid tar header/);
    await rm(split);
    const half = await unpack(archive({ name: 'f', data: 'x'.repeat(2000) }).subarray(0, 1000));
    expect(half).toMatchObject({ code: 1 });
    expect(half.stderr).toMatch(/unexpected EOF/);
  });
});

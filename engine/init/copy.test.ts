// Hostile and odd trees through `berth-init copy`, as it is compiled.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../test/support/docker.ts';

const CANNOT = process.getuid?.() !== 0 ? 'not root' : !existsSync('/usr/bin/cc') ? 'no cc' : undefined;
const BUILD = fileURLToPath(new URL('build.sh', import.meta.url));
const FLAG = { contents: 1, follow: 2, wildcard: 4, empty: 8, unpack: 16, parents: 32 };
/** what COPY sets */
const COPY = FLAG.contents | FLAG.follow | FLAG.wildcard;

interface Change {
  mode?: string;
  user?: string;
  group?: string;
}

describe.skipIf(CANNOT)(`berth-init copy${CANNOT ? ` (${CANNOT})` : ''}`, () => {
  let work: string;
  let source: string;
  let target: string;
  beforeAll(async () => {
    work = await mkdtemp(path.join(os.tmpdir(), 'berth-copy-'));
    expect((await runCommand(['sh', BUILD, work])).stderr).toBe('');
  }, 60_000);
  afterAll(() => rm(work, { recursive: true, force: true }));
  beforeEach(async () => {
    const place = await mkdtemp(path.join(work, 'case-'));
    source = path.join(place, 'source');
    target = path.join(place, 'target');
    for (const directory of [source, target, path.join(target, 'etc')]) await mkdir(directory);
    await writeFile(path.join(target, 'etc/passwd'), 'me:x:1000:1001::/:/bin/sh\n');
    await writeFile(path.join(target, 'etc/group'), 'us:x:2000:\n');
    // what nothing may read or write
    await writeFile(path.join(place, 'outside'), 'outside');
  });

  async function run(...orders: (string | number)[][]): Promise<{ code: number | null; stderr: string }> {
    const child = spawn(path.join(work, 'berth-init'), ['copy', target, source], {
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(
      orders
        .flat()
        .map((field) => `${field}\0`)
        .join(''),
    );
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { stderr: await text(child.stderr), code: await ended };
  }
  const copy = (from: string, to: string, flags = COPY, change: Change = {}, skips: string[] = []) => {
    const { mode = '', user = '', group = '' } = change;
    return ['copy', 0, from, to, flags, mode, user, group, skips.length, ...skips];
  };
  const put = async (name: string, content = name) => {
    await mkdir(path.dirname(path.join(source, name)), { recursive: true });
    await writeFile(path.join(source, name), content);
  };
  const got = (name: string) => readFile(path.join(target, name), 'utf8');

  it('copies a file to a name, into a folder, and over another', async () => {
    await put('a');
    await mkdir(path.join(target, 'there'));
    expect(
      await run(copy('a', '/b'), copy('a', '/new/'), copy('/a', '/there'), copy('a', '/b')),
    ).toMatchObject({ code: 0 });
    expect([await got('b'), await got('new/a'), await got('there/a')]).toEqual(['a', 'a', 'a']);
  });

  it('copies what is in a folder, with modes, times, links and names', async () => {
    await put('d/x');
    await put('d/sub/y');
    await chmod(path.join(source, 'd/x'), 0o4711);
    await chmod(path.join(source, 'd/sub'), 0o2750);
    await utimes(path.join(source, 'd/x'), 1000, 1000);
    await symlink('../anywhere', path.join(source, 'd/l'));
    await link(path.join(source, 'd/x'), path.join(source, 'd/z'));
    expect(await run(copy('d', '/to'))).toEqual({ code: 0, stderr: '' });
    expect((await readdir(path.join(target, 'to'))).sort()).toEqual(['l', 'sub', 'x', 'z']);
    const x = await stat(path.join(target, 'to/x'));
    expect([x.mode & 0o7777, x.mtimeMs]).toEqual([0o4711, 1_000_000]);
    expect((await stat(path.join(target, 'to/sub'))).mode & 0o7777).toBe(0o2750);
    expect(await readlink(path.join(target, 'to/l'))).toBe('../anywhere');
    expect((await stat(path.join(target, 'to/z'))).ino).toBe(x.ino);
  });

  it('keeps the owner and mode of a folder that is there, not of those below it', async () => {
    await put('d/sub/y');
    await chmod(path.join(source, 'd'), 0o700);
    await chmod(path.join(source, 'd/sub'), 0o711);
    await mkdir(path.join(target, 'to/sub'), { recursive: true });
    await chmod(path.join(target, 'to'), 0o755);
    expect(await run(copy('d', '/to'))).toMatchObject({ code: 0 });
    expect((await stat(path.join(target, 'to'))).mode & 0o777).toBe(0o755);
    expect((await stat(path.join(target, 'to/sub'))).mode & 0o777).toBe(0o711);
  });

  it.each<[Change, number, number, number]>([
    [{ user: 'me' }, 1000, 1001, 0o644],
    [{ user: 'me', group: 'us' }, 1000, 2000, 0o644],
    [{ user: '5' }, 5, 5, 0o644],
    [{ user: '5', group: '6', mode: '0700' }, 5, 6, 0o700],
    [{ mode: 'u+x,go=' }, 0, 0, 0o700],
    [{ mode: 'a=rX' }, 0, 0, 0o444],
    [{ mode: 'ug+s' }, 0, 0, 0o6644],
  ])('gives files to %o', async (change, uid, gid, mode) => {
    await put('a');
    await chmod(path.join(source, 'a'), 0o644);
    expect(await run(copy('a', '/made/b', COPY, change))).toEqual({ code: 0, stderr: '' });
    const found = await stat(path.join(target, 'made/b'));
    expect([found.uid, found.gid, found.mode & 0o7777]).toEqual([uid, gid, mode]);
    expect((await stat(path.join(target, 'made'))).uid).toBe(uid);
  });

  it('says which user, group or mode there is none of', async () => {
    await put('a');
    expect((await run(copy('a', '/b', COPY, { user: 'nobody' }))).stderr).toContain(
      "can't find uid for user nobody",
    );
    expect((await run(copy('a', '/b', COPY, { user: 'me', group: 'none' }))).stderr).toContain(
      'gid for group none',
    );
    expect((await run(copy('a', '/b', COPY, { mode: 'z' }))).stderr).toContain('invalid chmod parameter');
  });

  it('takes patterns, follows links to what is meant, and tells what is not there', async () => {
    for (const name of ['a.c', 'b.c', 'c.h', 'src/x/1.c', 'src/y/2.c']) await put(name);
    await symlink('src', path.join(source, 'link'));
    expect(
      await run(copy('*.c', '/c/'), copy('src/*/[0-9].c', '/n/'), copy('link/x/1.c', '/one')),
    ).toMatchObject({ code: 0 });
    expect((await readdir(path.join(target, 'c'))).sort()).toEqual(['a.c', 'b.c']);
    expect((await readdir(path.join(target, 'n'))).sort()).toEqual(['1.c', '2.c']);
    expect(await got('one')).toBe('src/x/1.c');
    expect(await run(copy('*.z', '/c/'))).toEqual({ code: 3, stderr: '"/*.z": not found\n' });
    expect(await run(copy('*.z', '/c/', COPY | FLAG.empty))).toMatchObject({ code: 0 });
    expect(await run(copy('no/file', '/c/'))).toEqual({ code: 3, stderr: '"/no/file": not found\n' });
  });

  it('leaves out what is excluded, and keeps parents from the pivot on', async () => {
    for (const name of ['a/b/c', 'a/b/d', 'a/e']) await put(name);
    expect(await run(copy('.', '/all', COPY, {}, ['a/b/c', 'a/e']))).toMatchObject({ code: 0 });
    expect(await readdir(path.join(target, 'all/a'))).toEqual(['b']);
    expect(await readdir(path.join(target, 'all/a/b'))).toEqual(['d']);
    expect(
      await run(copy('a/b/c', '/p/', COPY | FLAG.parents), copy('a/./b/d', '/q/', COPY | FLAG.parents)),
    ).toMatchObject({ code: 0 });
    expect(await got('p/a/b/c')).toBe('a/b/c');
    expect(await got('q/b/d')).toBe('a/b/d');
  });

  it.each(['gzip', 'bzip2', 'xz'])('unpacks archives of %s, and copies what is none', async (program) => {
    await put('in/file', 'packed');
    const pack = `cd "$0" && tar -cf - in | ${program} > packed && rm -r in && head -c 2000 /dev/zero | ${program} > other`;
    expect(await runCommand(['sh', '-ec', pack, source])).toMatchObject({ code: 0 });
    expect(
      await run(copy('packed', '/to/', COPY | FLAG.unpack), copy('other', '/to/', COPY | FLAG.unpack)),
    ).toEqual({
      code: 0,
      stderr: '',
    });
    expect(await got('to/in/file')).toBe('packed');
    expect((await lstat(path.join(target, 'to/other'))).isFile()).toBe(true);
  });

  it('reads nothing outside of the source, whatever links there are', async () => {
    const outside = path.join(path.dirname(source), 'outside');
    await symlink(outside, path.join(source, 'absolute'));
    await symlink('../outside', path.join(source, 'relative'));
    await symlink('/', path.join(source, 'root'));
    for (const name of ['absolute', 'relative', `root${outside}`, '../outside', `root/../outside`]) {
      expect((await run(copy(name, '/stolen'))).code).toBe(3);
    }
    await put('outside', 'the source’s own');
    // as in a container: .. of the root is the root
    expect(await run(copy('relative', '/mine'))).toMatchObject({ code: 0 });
    expect(await got('mine')).toBe('the source’s own');
  });

  it('writes nothing outside of the target, whatever links there are', async () => {
    const outside = path.join(path.dirname(target), 'outside');
    await put('a', 'written');
    await put('d/outside', 'written');
    await symlink('..', path.join(target, 'up'));
    await symlink(path.dirname(target), path.join(target, 'absolute'));
    await symlink(outside, path.join(target, 'file'));
    await run(copy('a', '/up/outside'));
    await run(copy('d', '/up'));
    await run(copy('a', '/../outside'));
    await run(copy('a', '/absolute/outside'));
    await run(copy('a', '/file'));
    await run(['file', '/up/outside', '', '', '', 1, 'x']);
    await run(['directory', '/absolute/made', '', '', '']);
    expect(await readFile(outside, 'utf8')).toBe('outside');
    expect((await readdir(path.dirname(target))).sort()).toEqual(['outside', 'source', 'target']);
  });

  it('refuses to put a folder over a file, and a file over a folder', async () => {
    await put('f');
    await put('d/x/y');
    await mkdir(path.join(target, 'to/x'), { recursive: true });
    await put('d2/x', 'file');
    expect((await run(copy('d2', '/to'))).stderr).toContain('cannot replace to directory');
    await writeFile(path.join(target, 'plain'), '');
    expect((await run(copy('d', '/plain'))).stderr).toContain('cannot copy to non-directory');
    expect((await run(copy('f', '/plain/x'))).code).toBe(1);
  });

  it.each<[string, (string | number)[][]]>([
    ['an order that is cut off', [['copy', 0, 'a']]],
    ['an order that there is none of', [['destroy', '/']]],
    ['a source that there is none of', [['copy', 9, 'a', '/b', 0, '', '', '', 0]]],
    ['a file without its content', [['file', '/x', '', '', '', 1000, 'short']]],
    ['a name that is too long', [['copy', 0, 'x'.repeat(5000), '/b', 0, '', '', '', 0]]],
    ['a target that is too long', [['copy', 0, 'a', `/${'y/'.repeat(3000)}`, 0, '', '', '', 0]]],
  ])('ends with an error at %s', async (_, orders) => {
    await put('a');
    const { code } = await run(...orders);
    expect([1, 3]).toContain(code);
  });
});

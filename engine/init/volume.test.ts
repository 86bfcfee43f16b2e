// `berth-init volume`, as it is compiled: what containers may have left in volumes, and what images may hold.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  chown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const CANNOT = process.getuid?.() !== 0 ? 'not root' : !existsSync('/usr/bin/cc') ? 'no cc' : undefined;
const BUILD = fileURLToPath(new URL('build.sh', import.meta.url));

describe.skipIf(CANNOT)(`berth-init volume${CANNOT ? ` (${CANNOT})` : ''}`, () => {
  let work: string;
  let base: string;
  beforeAll(async () => {
    work = await mkdtemp(path.join(os.tmpdir(), 'berth-volume-'));
    expect((await run('sh', [BUILD, work])).stderr).toBe('');
    // where the command looks at the image; in a lab host it is always there
    await mkdir('/run/docker', { recursive: true });
  }, 60_000);
  afterAll(() => rm(work, { recursive: true, force: true }));
  beforeEach(async () => {
    base = await mkdtemp(path.join(work, 'case-'));
    for (const name of ['top', 'low/data', 'volume', 'outside']) {
      await mkdir(path.join(base, name), { recursive: true });
    }
  });

  async function run(file: string, args: string[], cwd?: string) {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd });
    const code = new Promise<number | null>((resolve) => child.once('close', resolve));
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { code: await code, stdout, stderr };
  }
  const volume = (...args: string[]) => run(path.join(work, 'berth-init'), ['volume', ...args], base);
  const fill = (destination: string, subpath = '') =>
    volume('fill', 'top:low', destination, 'volume', subpath);
  const at = (...names: string[]) => path.join(base, ...names);

  it('fills an empty volume, with links and owners, from all layers', async () => {
    await mkdir(at('top/data'));
    await writeFile(at('top/data/above'), 'above');
    await writeFile(at('low/data/below'), 'below');
    await link(at('low/data/below'), at('low/data/again'));
    await symlink('/etc/passwd', at('low/data/symlink'));
    await chown(at('low/data/below'), 12, 34);
    expect(await fill('/data')).toMatchObject({ code: 0, stderr: '' });
    expect((await readdir(at('volume'))).sort()).toEqual(['above', 'again', 'below', 'symlink']);
    const [below, again] = [await lstat(at('volume/below')), await lstat(at('volume/again'))];
    expect([below.uid, below.gid, below.ino]).toEqual([12, 34, again.ino]);
    expect((await lstat(at('volume/symlink'))).isSymbolicLink()).toBe(true);
  });

  it('looks up the destination inside the image, whatever its links say', async () => {
    await writeFile(at('outside/secret'), 'secret');
    await symlink(at('outside'), at('low/absolute'));
    await symlink('../../../../../../etc', at('low/up'));
    await symlink('loop', at('low/loop'));
    for (const destination of ['/absolute', '/up', '/loop', '/nosuch/deeper']) {
      expect(await fill(destination)).toMatchObject({ code: 0, stderr: '' });
      expect(await readdir(at('volume'))).toEqual([]);
    }
  });

  it('refuses a file as destination, and leaves a volume with files alone', async () => {
    await writeFile(at('low/file'), '');
    expect((await fill('/file')).stderr).toBe('source /file is not directory\n');
    await writeFile(at('low/data/new'), '');
    await writeFile(at('volume/mine'), '');
    expect((await fill('/data')).code).toBe(0);
    expect(await readdir(at('volume'))).toEqual(['mine']);
  });

  it('leaves no half copy', async () => {
    await run('sh', ['-c', 'd=low/data; for i in $(seq 300); do d=$d/d; mkdir $d; done'], base);
    await writeFile(at('low/data/file'), 'x');
    const result = await fill('/data');
    expect(result).toMatchObject({ code: 1 });
    expect(result.stderr).toMatch(/^failed to copy \/data to the volume: /);
    expect(await readdir(at('volume'))).toEqual([]);
  });

  it.each([
    ['an absolute link', '/etc', ''],
    ['a link upwards', '..', ''],
    ['a link upwards below the volume', '../outside', ''],
    ['/proc’s links', '/proc/self/root', ''],
  ])('does not leave the volume by %s', async (_what, target) => {
    await symlink(target, at('volume/link'));
    for (const args of [
      ['pin', 'volume', 'link', at('target')],
      ['fill', 'top:low', '/data', 'volume', 'link'],
    ]) {
      expect(await volume(...args)).toMatchObject({
        code: 1,
        stderr: 'path concatenation escapes the base directory, base: volume, subpath: link\n',
      });
    }
    expect(existsSync(at('target'))).toBe(false);
  });

  it('says what is not there', async () => {
    expect((await volume('pin', 'volume', 'a/b', at('target'))).stderr).toBe(
      'cannot access path volume/a/b: lstat volume/a/b: No such file or directory\n',
    );
  });

  it('counts a file with several names once, and directories not at all', async () => {
    await writeFile(at('volume/a'), 'x'.repeat(1000));
    await link(at('volume/a'), at('volume/b'));
    await mkdir(at('volume/d'));
    await symlink('12345', at('volume/d/s'));
    expect((await volume('size', 'volume', 'nosuch', 'outside')).stdout).toBe('1005\n0\n0\n');
  });

  it('knows nothing else', async () => {
    for (const args of [[], ['fill'], ['fill', 'a', 'b', 'c'], ['pin', 'a', 'b'], ['size'], ['bogus', 'x']]) {
      expect((await volume(...args)).code).not.toBe(0);
    }
    expect(await readFile(at('volume/a'), 'utf8').catch(() => 'none')).toBe('none');
  });
});

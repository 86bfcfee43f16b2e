import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluateYaml } from '../support/evaluate.ts';
import { FakeHost } from '../support/fake-host.ts';

const isRoot = process.getuid?.() === 0;

describe('check file', () => {
  const host = new FakeHost();
  let folder = '';
  const evaluate = (yaml: string) => evaluateYaml(`file: ${yaml.replaceAll('DIR', folder)}`, host);

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'berth-file-check-'));
    await writeFile(path.join(folder, 'note.txt'), 'made | inside\nsecond line\n');
    await chmod(path.join(folder, 'note.txt'), 0o640);
    const upper = path.join(folder, 'upper');
    const lower = path.join(folder, 'lower');
    await mkdir(path.join(upper, 'etc'), { recursive: true });
    await mkdir(path.join(lower, 'etc'), { recursive: true });
    await mkdir(path.join(lower, 'srv'), { recursive: true });
    await writeFile(path.join(upper, 'etc/motd'), 'upper');
    await writeFile(path.join(lower, 'etc/motd'), 'lower');
    await writeFile(path.join(lower, 'etc/issue'), 'from the image');
    await symlink('/etc/issue', path.join(lower, 'srv/link'));
    await symlink('../../../../../../../etc/hostname', path.join(lower, 'srv/escape'));
    await symlink('loop', path.join(lower, 'srv/loop'));
    await writeFile(path.join(lower, 'etc/removed'), 'x');
    await mkdir(path.join(lower, 'gone'));
    await writeFile(path.join(lower, 'gone/file'), 'x');
    if (isRoot) {
      execFileSync('mknod', [path.join(upper, 'etc/removed'), 'c', '0', '0']);
      execFileSync('mknod', [path.join(upper, 'gone'), 'c', '0', '0']);
    }
    host.addContainer('stopped', {
      State: { Status: 'exited' },
      layers: { UpperDir: upper, LowerDir: lower },
    });
    host.addContainer('bare', { State: { Status: 'created' } });
    host.addContainer('running', { State: { Status: 'running', Pid: process.pid } });
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each([
    '{ path: DIR/note.txt, content: second }',
    '{ path: DIR/note.txt, content: { equals: "made | inside\\nsecond line" }, mode: "0640", type: file }',
    '{ path: DIR/note.txt, content: { matches: ^second }, owner: 0 }',
    '{ path: DIR/./upper/../note.txt }',
    '{ path: DIR/upper, type: directory }',
    '{ path: DIR/nothing, absent: true }',
    '{ path: DIR/note.txt/deeper, absent: true }',
    '{ container: running, path: DIR/note.txt }',
  ])('passes for %s', async (yaml) => {
    expect(await evaluate(yaml)).toEqual({ passed: true });
  });

  it
    .skipIf(!isRoot)
    .each([
      '{ container: stopped, path: /etc/motd, content: { equals: upper } }',
      '{ container: stopped, path: /srv/link, type: symlink }',
      '{ container: stopped, path: /srv/loop, absent: true }',
      '{ container: stopped, path: /srv/escape, absent: true }',
      '{ container: stopped, path: /etc/removed, absent: true }',
      '{ container: stopped, path: /gone/file, absent: true }',
    ])('passes for %s', async (yaml) => {
    expect(await evaluate(yaml)).toEqual({ passed: true });
  });

  it.skipIf(!isRoot)(
    'follows absolute links to the root that was asked about, not to the lab host',
    async () => {
      expect(await evaluate('{ container: stopped, path: /srv/link, content: from the image }')).toEqual({
        passed: true,
      });
    },
  );

  it.each([
    ['{ path: DIR/nothing }', 'no such file'],
    ['{ path: DIR/note.txt, mode: "600" }', 'mode 640'],
    ['{ path: DIR/note.txt, content: third }', '"made | inside second line"'],
    ['{ path: DIR/note.txt, absent: true }', 'a file'],
    ['{ path: DIR/upper, content: x }', 'a directory'],
    ['{ container: bare, path: /x }', 'container bare is created, its files cannot be read'],
    ['{ container: nosuch, path: /x }', 'no container nosuch'],
  ])('fails for %s', async (yaml, found) => {
    expect(await evaluate(yaml)).toMatchObject({ passed: false, found });
  });
});

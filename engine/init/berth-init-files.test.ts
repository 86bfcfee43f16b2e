// berth-init's logs and files: the json-file format, reading from a place, last lines, following, rotation.

import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Input, parse, step, T } from './test/codec.ts';
import { E, F, Init, type Peer, wait } from './test/harness.ts';

let init: Init;
let control: Peer;

beforeAll(async () => {
  init = await Init.start();
  control = await init.control();
});

afterAll(async () => {
  expect(await init.stop()).toBe(0);
});

const sh = (script: string) => ['sh', '-c', script];

async function open(path: string, input: Input = {}): Promise<Peer> {
  const peer = await init.connect();
  const errno = await peer.errno(T.FILE, { path, ...input });
  if (errno) throw new Error(`errno ${errno}`);
  return peer;
}

const read = async (path: string, input: Input = {}) => (await (await open(path, input)).streams()).data;

/** Runs a script to its end with a log; the log's records. */
async function logged(key: string, script: string): Promise<{ log: string; stream: string; time: string }[]> {
  const log = init.file(`${key}.log`);
  expect(await control.errno(T.START, { key, log, arg: sh(script) })).toBe(0);
  await control.exitOf(key);
  const lines = readFileSync(log, 'utf8').split('\n');
  expect(lines.pop()).toBe('');
  return lines.map((line) => JSON.parse(line));
}

describe('a log', () => {
  it('has a record for each line, with its stream and time', async () => {
    const records = await logged('lines', 'echo one; sleep 0.05; echo two >&2; sleep 0.05; printf three');
    expect(records.map((r) => [r.log, r.stream])).toEqual([
      ['one\n', 'stdout'],
      ['two\n', 'stderr'],
      ['three', 'stdout'],
    ]);
    for (const { time } of records) {
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z$/);
      expect(Math.abs(Date.now() - Date.parse(time))).toBeLessThan(5000);
    }
  });

  it('is whole when EXIT has come, though its reader is slow', async () => {
    await control.request(T.START, { key: 'slow', flags: F.RESERVE });
    const log = init.file('slow.log');
    const peer = await init.connect();
    await peer.request(T.ATTACH, { key: 'slow', flags: 7 });
    peer.socket.pause();
    await control.request(T.START, { key: 'slow', log, arg: sh('head -c 300000 /dev/zero | tr "\\0" x') });
    await wait(200);
    peer.socket.resume();
    await control.exitOf('slow');
    const records = readFileSync(log, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).log);
    expect(records.join('').length).toBe(300000);
    expect(records[0].length).toBe(16384);
    peer.socket.destroy();
  });

  it('goes on in a new file after a rotation by renaming', async () => {
    const log = init.file('rotated.log');
    await control.request(T.START, {
      key: 'rotated',
      log,
      flags: F.STDIN,
      arg: sh('echo a; read x; echo b'),
    });
    const follower = await open(log, { key: 'rotated' });
    await follower.next((f) => f.type === T.DATA);
    renameSync(log, `${log}.1`);
    await wait(1100); // the writer looks at most once a second
    const peer = await init.connect();
    await peer.request(T.ATTACH, { key: 'rotated', flags: 1 });
    peer.write(T.STDIN, Buffer.from('\n'));
    await control.exitOf('rotated');
    expect(readFileSync(log, 'utf8')).toContain('b\\n');
    expect((await follower.streams()).data).toContain('b\\n');
  });

  it('that cannot be opened keeps the process from starting', async () => {
    const mark = init.file('mark');
    const reply = await control.request(T.START, {
      key: 'nolog',
      log: '/proc/nothing/log',
      arg: sh(`echo >${mark}`),
    });
    expect(reply.numbers.errno).toBe(E.ENOENT);
    expect(reply.texts.text).toContain('open log /proc/nothing/log');
    expect(() => statSync(mark)).toThrow();
  });
});

describe('reading a file', () => {
  it('says what stat says, then sends it all', async () => {
    const file = init.file('big');
    writeFileSync(file, Buffer.alloc(1_000_000, 'abcdefghij'));
    chmodSync(file, 0o640);
    const peer = await init.connect();
    const reply = await peer.request(T.FILE, { path: file });
    const st = statSync(file, { bigint: true });
    expect(reply.big).toMatchObject({ size: st.size, mtime: st.mtimeNs, inode: st.ino });
    expect(reply.numbers).toMatchObject({ mode: Number(st.mode), uid: Number(st.uid), gid: Number(st.gid) });
    expect((await peer.streams()).data.length).toBe(1_000_000);
    await peer.closed();
  });

  it('starts at an offset and stops at a limit', async () => {
    writeFileSync(init.file('digits'), '0123456789');
    expect(await read(init.file('digits'), { offset: 3, limit: 4 })).toBe('3456');
    expect(await read(init.file('digits'), { offset: 100 })).toBe('');
    expect(await read(init.file('digits'), { limit: 0 })).toBe('');
  });

  it.each([
    ['', 2, ''],
    ['a\nb\nc\n', 2, 'b\nc\n'],
    ['a\nb\nc', 2, 'b\nc'],
    ['a\nb\nc\n', 0, ''],
    ['a\nb\nc\n', 3, 'a\nb\nc\n'],
    ['a\nb\nc\n', 9, 'a\nb\nc\n'],
    ['\n\n\n', 2, '\n\n'],
  ])('sends of %j the last %d lines', async (content, tail, expected) => {
    writeFileSync(init.file('tail'), content);
    expect(await read(init.file('tail'), { tail })).toBe(expected);
  });

  it('finds the last lines of a long file from its end', async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i} ${'x'.repeat(i % 97)}\n`);
    writeFileSync(init.file('long'), lines.join(''));
    for (const tail of [1, 100, 5000, 19_999, 20_000, 20_001]) {
      expect(await read(init.file('long'), { tail })).toBe(lines.slice(-tail).join(''));
    }
  });

  it('refuses what is not a regular file, without waiting for it', async () => {
    execFileSync('mkfifo', [init.file('fifo')]);
    symlinkSync('/dev/zero', init.file('device'));
    const peer = await init.connect();
    for (const path of [init.file('fifo'), init.file('device'), init.directory, '/dev/tty']) {
      expect(await peer.errno(T.FILE, { path })).not.toBe(0);
    }
    expect(await peer.errno(T.FILE, { path: init.file('absent') })).toBe(E.ENOENT);
    expect(await peer.errno(T.FILE, { path: init.file('fifo') })).toBe(E.EINVAL);
  });
});

describe('following', () => {
  it('sends what the process logs until it ends, and then END', async () => {
    const log = init.file('follow.log');
    await control.request(T.START, {
      key: 'follow',
      log,
      arg: sh('for i in 1 2 3; do echo $i; sleep 0.1; done'),
    });
    const peer = await open(log, { key: 'follow' });
    const { data } = await peer.streams();
    expect(data.match(/"log":"\d/g)).toHaveLength(3);
    expect(await read(log, { key: 'follow', tail: 1 })).toContain('"log":"3\\n"');
  });

  it('starts again at the beginning of a truncated file', async () => {
    const log = init.file('cut.log');
    await control.request(T.START, {
      key: 'cut',
      log,
      flags: F.STDIN,
      arg: sh('echo first line; read x; echo second'),
    });
    const peer = await open(log, { key: 'cut' });
    await peer.next((f) => f.type === T.DATA);
    truncateSync(log);
    const stdin = await init.connect();
    await stdin.request(T.ATTACH, { key: 'cut', flags: 1 });
    stdin.write(T.STDIN, Buffer.from('\n'));
    expect((await peer.streams()).data).toMatch(/^\{"log":"second/);
  });

  it('costs nothing while nothing is written', async () => {
    const log = init.file('quiet.log');
    await control.request(T.START, { key: 'quiet', log, arg: ['sleep', '60'] });
    await open(log, { key: 'quiet' });
    const ticks = () => Number(readFileSync(`/proc/${init.child.pid}/stat`, 'utf8').split(' ')[13]);
    const before = ticks();
    await wait(500);
    expect(ticks() - before).toBeLessThanOrEqual(1);
    await control.request(T.SIGNAL, { key: 'quiet', signo: 9 });
  });

  it('ends when the process is not known', async () => {
    appendFileSync(init.file('orphaned'), 'text');
    expect(await read(init.file('orphaned'), { key: 'nobody' })).toBe('text');
  });
});

describe('steps', () => {
  const run = (...steps: Buffer[]) => control.request(T.START, { step: steps });

  it('make directories, write files and links, and feed programs', async () => {
    const at = (name: string) => init.file(`steps/${name}`);
    const reply = await run(
      step('mkdir', { path: at('a/b/c'), mode: 0o750, uid: 12, gid: 34 }),
      step('mkdir', { path: at('a/b/c'), mode: 0o750 }),
      step('write', { path: at('a/file'), mode: 0o600, bytes: Buffer.from('in\0side') }),
      step('symlink', { target: 'old', path: at('link') }),
      step('symlink', { target: 'a/file', path: at('link') }),
      step('chdir', { path: at('a') }),
      step('exec', { arg: sh('cat file - >copy; pwd >>copy'), bytes: Buffer.alloc(200_000, 'i') }),
    );
    expect(reply.numbers.errno).toBe(0);
    expect(statSync(at('a/b/c'))).toMatchObject({ uid: 12, gid: 34, mode: 0o40750 });
    expect(statSync(at('a/file')).mode).toBe(0o100600);
    expect(readFileSync(at('link'), 'latin1')).toBe('in\0side');
    expect(readFileSync(at('a/copy'), 'latin1')).toBe(`in\0side${'i'.repeat(200_000)}${at('a')}\n`);
  });

  it.each<[string, Buffer[], object, string]>([
    [
      'mkdir',
      [step('mkdir', { path: '/proc/x' })],
      { errno: 2, stepIndex: 0, exit: -1 },
      'mkdir /proc/x: No such file or directory',
    ],
    [
      'write',
      [step('chdir', { path: '/' }), step('write', { path: '/nowhere/x', bytes: '' })],
      { errno: 2, stepIndex: 1 },
      'write /nowhere/x: No such file or directory',
    ],
    [
      'exec without the program',
      [step('exec', { arg: ['/nowhere/program'] })],
      { errno: 2, exit: -1 },
      'exec /nowhere/program: No such file or directory',
    ],
    [
      'exec that fails',
      [step('exec', { arg: ['sh', '-c', 'echo why >&2; exit 9'] })],
      { errno: 5, exit: 9 },
      'why\n',
    ],
    ['exec that is killed', [step('exec', { arg: ['sh', '-c', 'kill -9 $$'] })], { errno: 5, exit: 137 }, ''],
    [
      'mount',
      [step('mount', { source: 'x', path: '/nowhere', fstype: 'nofs' })],
      { stepIndex: 0 },
      'mount /nowhere:',
    ],
  ])('say why they fail: %s', async (_, steps, numbers, text) => {
    const reply = await run(...steps);
    expect(reply.numbers).toMatchObject(numbers);
    expect(reply.texts.text).toContain(text);
  });

  it('keep at most 4,000 bytes of what a program complains', async () => {
    const reply = await run(step('exec', { arg: sh('head -c 300000 /dev/zero | tr "\\0" e >&2; exit 1') }));
    expect(reply.texts.text).toBe('e'.repeat(4000));
  });

  it('remove trees of any depth, and never what a link or a mount leads to', async () => {
    const tree = init.mkdir('tree');
    const outside = init.mkdir('outside');
    writeFileSync(`${outside}/kept`, '');
    symlinkSync(outside, `${tree}/link`);
    execFileSync('python3', [
      '-c',
      'import os,sys\nos.chdir(sys.argv[1])\nfor i in range(3000): os.mkdir("d"); os.chdir("d")\nopen("f","w")',
      tree,
    ]);
    for (let i = 0; i < 300; i++) writeFileSync(`${tree}/f${i}`, '');
    expect((await run(step('rmtree', { path: tree }))).numbers.errno).toBe(0);
    expect(() => statSync(tree)).toThrow();
    symlinkSync(outside, tree);
    expect((await run(step('rmtree', { path: tree }), step('rmtree', { path: tree }))).numbers.errno).toBe(0);
    statSync(`${outside}/kept`);
  });

  it.runIf(process.getuid?.() === 0)('do not empty a mount below a tree', async () => {
    const tree = init.mkdir('mounted');
    mkdirSync(`${tree}/m`);
    const outside = init.mkdir('bound');
    writeFileSync(`${outside}/kept`, '');
    const bind = step('mount', { source: outside, path: `${tree}/m`, fstype: 'none', mountFlags: 4096 });
    const reply = await run(bind, step('rmtree', { path: tree }));
    expect(reply.numbers).toMatchObject({ errno: E.EBUSY, stepIndex: 1 });
    statSync(`${outside}/kept`);
    const unmount = step('umount', { path: `${tree}/m` });
    expect((await run(unmount, unmount, step('rmtree', { path: tree }))).numbers.errno).toBe(0);
    statSync(`${outside}/kept`);
  });

  it('change nothing of the order of replies: each answers its own request', async () => {
    const slow = control.request(T.START, { step: step('exec', { arg: ['sleep', '0.2'] }) });
    const fast = await control.request(T.START, {});
    expect(parse(Buffer.alloc(0)).numbers).toEqual({});
    expect(fast.numbers.errno).toBe(0);
    expect((await slow).numbers.errno).toBe(0);
  });
});

// berth-init against clients that misbehave, engines that come and go, and full tables.

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { field, fields, frame, parse, step, T } from './test/codec.ts';
import { A, E, F, Init, type Peer, until, wait } from './test/harness.ts';

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

/** Sends bytes on a connection of its own and resolves when berth-init closes it. */
async function isClosedBy(bytes: Uint8Array): Promise<void> {
  const peer = await init.connect();
  peer.socket.write(bytes);
  await peer.closed();
}

const header = (length: number, type = 1) => {
  const head = Buffer.alloc(9);
  head.writeUInt32LE(length, 0);
  head[4] = type;
  return head;
};

describe('a malformed frame closes its connection', () => {
  it.each<[string, Buffer]>([
    ['too short', header(4)],
    ['of no length', header(0)],
    ['over 4 MiB', header((4 << 20) + 1)],
    ['of 4 GiB', header(0xffffffff)],
    ['text', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['a field past the end', frame(T.FORGET, 1, Buffer.from([2, 100, 0, 0, 0, 65]))],
    ['a number of the wrong size', frame(T.HELLO, 1, field(1, Buffer.alloc(8)))],
    ['a NUL in a string', frame(T.FORGET, 1, field(2, Buffer.from('a\0b')))],
    ['a malformed step', frame(T.START, 1, field(19, Buffer.from([1, 20, 9, 0, 0, 0])))],
    ['an empty step', frame(T.START, 1, field(19, Buffer.alloc(0)))],
    ['standard input out of place', frame(T.STDIN, 0, Buffer.from('x'))],
  ])('%s', (_, bytes) => isClosedBy(bytes));

  it('in an attachment: too much in one frame, or a request', async () => {
    await control.request(T.START, { key: 'attached', flags: F.STDIN, arg: ['cat'] });
    for (const bad of [
      frame(T.STDIN, 0, Buffer.alloc(65537)),
      frame(T.FORGET, 1, fields({ key: 'attached' })),
    ]) {
      const peer = await init.attach('attached', A.ALL);
      peer.socket.write(bad);
      await peer.closed();
    }
    expect(await control.errno(T.SIGNAL, { key: 'attached', signo: 9 })).toBe(0);
  });
});

describe('a request that makes no sense is answered', () => {
  it.each<[string, number, Buffer, number]>([
    ['an unknown type', 0x33, Buffer.alloc(0), E.ENOSYS],
    ['type 0', 0, Buffer.alloc(0), E.ENOSYS],
    ['a missing field', T.SIGNAL, fields({ key: 'x' }), E.EINVAL],
    ['an unknown step', T.START, field(19, Buffer.of(99)), E.EINVAL],
    ['a step without its path', T.START, field(19, Buffer.of(1)), E.EINVAL],
    ['another version', T.HELLO, fields({ version: 2 }), E.EINVAL],
    ['an unknown key', T.ATTACH, fields({ key: 'unknown', flags: 7 }), E.ESRCH],
    ['a key with a slash', T.START, fields({ key: 'a/b', arg: ['true'] }), E.EINVAL],
    ['a process without arguments', T.START, fields({ key: 'noarg' }), E.EINVAL],
    ['a signal that there is not', T.SIGNAL, fields({ key: 'unknown', signo: 9 }), E.ESRCH],
  ])('%s', async (_, type, body, errno) => {
    const peer = await init.connect();
    peer.write(type, body, 77);
    const reply = await peer.next((f) => f.type === T.REPLY && f.id === 77);
    expect(parse(reply.body).numbers.errno).toBe(errno);
    // and the connection is still good; unknown tags are skipped
    peer.write(T.START, field(200, Buffer.from('from the future')), 78);
    await peer.next((f) => f.id === 78);
  });
});

describe('clients that misbehave', () => {
  it('send byte by byte, or all at once', async () => {
    const bytes = Buffer.concat(
      [1, 2, 3].map((id) => frame(T.START, id, fields({ step: step('chdir', { path: '/' }) }))),
    );
    const slow = await init.connect();
    for (const byte of bytes) {
      slow.socket.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    const fast = await init.connect();
    fast.socket.write(bytes);
    for (const peer of [slow, fast]) for (const id of [1, 2, 3]) await peer.next((f) => f.id === id);
  });

  it('send random garbage, a thousand times', async () => {
    let seed = 12345;
    const random = () => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return seed >> 8;
    };
    for (let round = 0; round < 1000; round++) {
      const socket = net.connect(init.file('s'));
      socket.on('error', () => undefined);
      const body = Buffer.from(
        Array.from({ length: random() % 60 }, () => random() & (random() % 3 ? 0xff : 0x1f)),
      );
      // any request but those that end berth-init or send signals
      const types = [T.HELLO, T.RESIZE, T.ATTACH, T.FORGET, T.FILE, T.DNS_ANSWER, T.STDIN, T.DIAL, 0x99];
      socket.end(round % 2 ? frame(types[random() % types.length] ?? 1, round, body) : body);
      if (round % 50 === 0) await new Promise((resolve) => socket.once('close', resolve));
      else setTimeout(() => socket.destroy(), 5);
    }
    await wait(100);
    expect(await (await init.connect()).errno(T.START, {})).toBe(0);
    control = await init.control();
  });

  it('take a whole frame of 4 MiB, and no more memory than they send', async () => {
    const before = init.memory();
    const liars = await Promise.all(Array.from({ length: 50 }, () => init.connect()));
    for (const peer of liars) peer.socket.write(header(4 << 20, T.START));
    await wait(50);
    expect(init.memory() - before).toBeLessThan(4096);
    for (const peer of liars) peer.socket.destroy();
    const big = await init.connect();
    big.write(T.START, field(200, Buffer.alloc((4 << 20) - 100)), 5);
    await big.next((f) => f.id === 5);
  });

  it('ask without reading the answers', async () => {
    const peer = await init.connect();
    peer.socket.pause();
    const request = frame(T.FORGET, 1, fields({ key: 'unknown' }));
    const many = Buffer.concat(Array.from({ length: 20_000 }, () => request));
    const before = init.memory();
    for (let i = 0; i < 20; i++) peer.socket.write(many);
    await wait(300);
    expect(init.memory() - before).toBeLessThan(4096);
    expect(peer.socket.writableLength).toBeGreaterThan(1 << 20);
    peer.socket.destroy();
  });

  it('connect until descriptors run out: it waits, and does not spin', async () => {
    const sockets = await Promise.all(
      Array.from({ length: 2200 }, async () => {
        const socket = net.connect(init.file('s'));
        socket.on('error', () => undefined);
        return socket;
      }),
    );
    await wait(500);
    const ticks = () => Number(readFileSync(`/proc/${init.child.pid}/stat`, 'utf8').split(' ')[13]);
    const before = ticks();
    await wait(500);
    expect(ticks() - before).toBeLessThan(10);
    for (const socket of sockets) socket.destroy();
    await until(
      async () => (await init.connect()).errno(T.START, {}).then((errno) => errno === 0),
      'it serves again',
    );
    await until(() => init.descriptors() < 100, 'descriptors are closed');
  });

  it('leave in the middle of everything', async () => {
    for (let i = 0; i < 30; i++) {
      const peer = await init.connect();
      peer.write(
        T.START,
        fields({ key: `left.${i}`, flags: F.STDIN | F.DISCARD, arg: sh('yes & sleep 0.2; kill $!') }),
        1,
      );
      if (i % 3) await wait(i % 5);
      const other = await init.connect();
      other.write(T.ATTACH, fields({ key: `left.${i}`, flags: 31 }), 1);
      other.write(T.STDIN, Buffer.from('x'));
      if (i % 2) other.socket.destroy();
      peer.socket.destroy();
      setTimeout(() => other.socket.destroy(), 20);
    }
    for (let i = 0; i < 30; i++) await control.exitOf(`left.${i}`);
  });
});

describe('an engine that comes back', () => {
  it('is told of what runs and what has ended, with its exit code', async () => {
    await control.request(T.START, { key: 'running', arg: ['sleep', '60'] });
    await control.request(T.START, { key: 'ended', arg: sh('sleep 0.1; exit 6') });
    control.socket.destroy();
    await wait(300);
    control = await init.connect();
    const reply = await control.request(T.HELLO, { version: 1 });
    expect(reply.numbers.version).toBe(1);
    expect(reply.texts.boot).toMatch(/^[0-9a-f]{32}$/);
    const list = control.frames.splice(0).map((f) => ({ type: f.type, ...parse(f.body) }));
    expect(list.every((p) => p.type === T.PROCESS)).toBe(true);
    const known = (key: string) => list.find((p) => p.texts.key === key)?.numbers;
    expect(known('running')).toMatchObject({ state: 1 });
    expect(known('ended')).toMatchObject({ state: 2, status: 6 });
    await control.request(T.SIGNAL, { key: 'running', signo: 15 });
    expect((await control.exitOf('running')).numbers.status).toBe(143);
  });

  it('takes the events over from the one before', async () => {
    const old = control;
    control = await init.control();
    await control.request(T.START, { key: 'mine', arg: ['true'] });
    await control.exitOf('mine');
    expect(await old.errno(T.START, {})).toBe(0);
    expect(old.frames.filter((f) => f.type === T.EXIT)).toEqual([]);
  });

  it('learns of a process whose START was answered to nobody', async () => {
    const gone = await init.connect();
    gone.write(
      T.START,
      fields({ key: 'unanswered', arg: ['sleep', '60'], step: step('exec', { arg: ['sleep', '0.1'] }) }),
      1,
    );
    await wait(30);
    gone.socket.destroy();
    const event = await control.next((f) => f.type === T.PROCESS && parse(f.body).texts.key === 'unanswered');
    expect(parse(event.body).numbers).toMatchObject({ state: 1 });
    await control.request(T.SIGNAL, { key: 'unanswered', signo: 9 });
  });

  it('finds no reservation that nobody waits at', async () => {
    await control.request(T.START, { key: 'reserved', flags: F.RESERVE });
    await control.request(T.START, { key: 'awaited', flags: F.RESERVE });
    const waiting = await init.attach('awaited', A.ALL);
    control = await init.control();
    expect(await control.errno(T.FORGET, { key: 'reserved' })).toBe(E.ESRCH);
    expect(await control.errno(T.START, { key: 'awaited', arg: ['echo', 'ok'] })).toBe(0);
    expect((await waiting.streams()).stdout).toBe('ok\n');
  });
});

describe('a full table', () => {
  it('takes 4,096 processes and then says EAGAIN', async () => {
    const crowded = await Init.start();
    const engine = await crowded.control();
    for (let batch = 0; batch < 4096; batch += 256) {
      const keys = Array.from({ length: 256 }, (_, i) => `r.${batch + i}`);
      const replies = await Promise.all(
        keys.map((key) => engine.errno(T.START, { key, flags: F.RESERVE | F.TERMINAL })),
      );
      expect(replies.every((errno) => errno === 0)).toBe(true);
    }
    expect(await engine.errno(T.START, { key: 'one-too-many', arg: ['true'] })).toBe(11);
    expect(await engine.errno(T.START, {})).toBe(0);
    expect(await crowded.stop()).toBe(0);
  });
});

describe('out of something', () => {
  it('descriptors: connections wait, a START says so, and all goes on afterwards', async () => {
    const poor = await Init.start(['prlimit', '--nofile=40:40'], false);
    const engine = await poor.control();
    const others = await Promise.all(Array.from({ length: 60 }, () => poor.connect()));
    await wait(200);
    const reply = await engine.request(T.START, { key: 'poor', arg: ['true'] });
    expect(reply.numbers.errno).toBe(24);
    for (const peer of others) peer.socket.destroy();
    await until(() => poor.descriptors() < 20, 'they are closed');
    expect(await engine.errno(T.START, { key: 'poor', arg: ['true'] })).toBe(0);
    expect((await engine.exitOf('poor')).numbers.status).toBe(0);
    expect(await poor.stop()).toBe(0);
  });

  const PIDS = '/sys/fs/cgroup/pids';

  it.runIf(process.getuid?.() === 0 && existsSync(`${PIDS}/cgroup.procs`))(
    'processes: START says EAGAIN',
    async () => {
      const group = `${PIDS}/berth-init-test-${process.pid}`;
      mkdirSync(group);
      const limited = await Init.start();
      const engine = await limited.control();
      writeFileSync(`${group}/cgroup.procs`, String(limited.child.pid));
      writeFileSync(`${group}/pids.max`, '1');
      expect((await engine.request(T.START, { key: 'a', arg: ['true'] })).numbers.errno).toBe(E.EAGAIN);
      writeFileSync(`${group}/pids.max`, '2');
      const program = await engine.request(T.START, { step: step('exec', { arg: ['true'] }) });
      expect(program.numbers).toMatchObject({ errno: E.EAGAIN, stepIndex: 0 });
      writeFileSync(`${group}/pids.max`, 'max');
      expect(await engine.errno(T.START, { key: 'a', arg: ['true'] })).toBe(0);
      expect(await limited.stop()).toBe(0);
      rmdirSync(group);
    },
  );

  it.runIf(process.getuid?.() === 0 && existsSync(`${PIDS}/cgroup.procs`))(
    'patience: RMCGROUP kills what is in it, and in the ones below',
    async () => {
      const group = `${PIDS}/berth-init-rm-${process.pid}`;
      mkdirSync(`${group}/a/b`, { recursive: true });
      for (const [i, where] of [group, `${group}/a`, `${group}/a/b`].entries()) {
        const { numbers } = await control.request(T.START, {
          key: `cg.${i}`,
          arg: sh('trap "" TERM; sleep 60'),
        });
        writeFileSync(`${where}/cgroup.procs`, String(numbers.pid));
      }
      const remove = step('rmcgroup', { path: group });
      expect(await control.errno(T.START, { step: [remove, remove] })).toBe(0);
      expect(existsSync(group)).toBe(false);
      for (let i = 0; i < 3; i++) expect((await control.exitOf(`cg.${i}`)).numbers.status).toBe(137);
    },
  );

  it.each([
    ['memory.events', 'low 0\nhigh 0\nmax 4\noom 1\noom_kill 1\n', 1],
    ['memory.events', 'low 0\nmax 4\noom 0\noom_kill 0\noom_group_kill 0\n', 0],
    ['memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n', 1],
    ['memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 0\n', 0],
  ])('memory: %s with %j is OOM %d', async (file, content, oom) => {
    const cgroup = init.mkdir(`cgroup-${oom}-${file}`);
    writeFileSync(`${cgroup}/${file}`, content);
    const key = `oom.${file}.${oom}`;
    await control.request(T.START, { key, cgroup, arg: ['true'] });
    expect((await control.exitOf(key)).numbers.oom).toBe(oom);
  });
});

describe('shutdown', () => {
  it('ends everything: TERM, then KILL after the timeout', async () => {
    const other = await Init.start();
    const engine = await other.control();
    const { numbers } = await engine.request(T.START, {
      key: 'stubborn',
      arg: sh('trap "" TERM; sleep 60 & wait; sleep 60'),
    });
    await engine.request(T.START, { key: 'polite', arg: ['sleep', '60'] });
    await wait(50);
    const begin = Date.now();
    expect(await engine.errno(T.SHUTDOWN, { timeout: 300 })).toBe(0);
    expect((await engine.exitOf('polite')).numbers.status).toBe(143);
    expect((await engine.exitOf('stubborn')).numbers.status).toBe(137);
    await engine.closed();
    expect(Date.now() - begin).toBeLessThan(3000);
    expect(() => process.kill(numbers.pid ?? 0, 0)).toThrow();
    await until(() => other.child.exitCode === 0, 'it exits');
    await other.stop();
  });

  it('begins with SIGTERM too', async () => {
    const other = await Init.start();
    const engine = await other.control();
    await engine.request(T.START, { key: 'polite', arg: ['sleep', '60'] });
    other.child.kill('SIGTERM');
    expect((await engine.exitOf('polite')).numbers.status).toBe(143);
    await until(() => other.child.exitCode === 0, 'it exits');
    await other.stop();
  });
});

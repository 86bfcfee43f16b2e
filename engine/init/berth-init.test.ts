// berth-init's processes: starting, adopting, ending, signals, terminals, standard streams, back-pressure.

import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fields, step, T } from './test/codec.ts';
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

/** Starts a process that a client is attached to from the beginning. */
async function attached(key: string, script: string, flags = 0, attach = A.ALL): Promise<Peer> {
  await control.request(T.START, { key, flags: flags | F.RESERVE });
  const peer = await init.attach(key, attach);
  const reply = await control.request(T.START, { key, flags, arg: sh(script) });
  expect(reply.numbers.errno).toBe(0);
  return peer;
}

describe('a process', () => {
  it('hands its output to who is attached, and its exit code to the engine', async () => {
    const peer = await attached('out', 'echo one; echo two >&2; exit 3');
    expect(await peer.streams()).toMatchObject({ stdout: 'one\n', stderr: 'two\n' });
    await peer.closed();
    const exit = await control.exitOf('out');
    expect(exit.numbers).toMatchObject({ state: 2, status: 3, oom: 0 });
    expect(Number(exit.big.finished)).toBeGreaterThan(Number(exit.big.started));
  });

  it('reports the signal that ended it as 128 plus its number', async () => {
    const { numbers } = await control.request(T.START, { key: 'killed', arg: ['sleep', '60'] });
    expect(numbers.pid).toBeGreaterThan(1);
    expect(await control.errno(T.SIGNAL, { key: 'killed', signo: 9 })).toBe(0);
    expect((await control.exitOf('killed')).numbers.status).toBe(137);
    expect(await control.errno(T.SIGNAL, { key: 'killed', signo: 9 })).toBe(E.ESRCH);
  });

  it('signals a whole process group', async () => {
    const peer = await attached('group', 'sleep 60 & sleep 60 & echo ready; wait');
    await peer.output('ready');
    expect(await control.errno(T.SIGNAL, { key: 'group', signo: 15, groupSignal: 1 })).toBe(0);
    expect((await control.exitOf('group')).numbers.status).toBe(143);
    await peer.streams(); // the children are gone too: END comes
  });

  it('gets environment, directory, user and groups', async () => {
    await control.request(T.START, { key: 'who', flags: F.RESERVE });
    const peer = await init.attach('who', A.ALL);
    const arg = sh('echo $A; pwd; id -u; id -G; echo x >/dev/stdout');
    const env = ['A=b c', 'PATH=/usr/bin:/bin'];
    await control.request(T.START, {
      key: 'who',
      arg,
      env,
      cwd: '/usr',
      uid: 1000,
      gid: 1000,
      group: [7, 8],
    });
    expect((await peer.streams()).stdout).toBe('b c\n/usr\n1000\n1000 7 8\nx\n');
  });

  it('inherits no descriptor, no blocked signal and no limit of berth-init', async () => {
    const script = 'ls /proc/$$/fd; grep -E "SigBlk|SigIgn" /proc/self/status; ulimit -Sn';
    const peer = await attached('clean', script);
    const limit = /Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    const { stdout } = await peer.streams();
    expect(stdout).toMatch(/^0\n1\n2\n(10\n)?SigBlk:\t0+\nSigIgn:\t0+\n/);
    expect(stdout.trim().split('\n').at(-1)).toBe(limit);
  });

  it('is known until it is forgotten', async () => {
    await control.request(T.START, { key: 'kept', arg: ['true'] });
    expect(await control.errno(T.START, { key: 'kept', arg: ['true'] })).toBe(E.EEXIST);
    await control.exitOf('kept');
    expect(await control.errno(T.FORGET, { key: 'kept' })).toBe(0);
    expect(await control.errno(T.FORGET, { key: 'kept' })).toBe(E.ESRCH);
    await control.request(T.START, { key: 'kept', arg: ['sleep', '60'] });
    expect(await control.errno(T.FORGET, { key: 'kept' })).toBe(E.EBUSY);
    await control.request(T.SIGNAL, { key: 'kept', signo: 9 });
  });

  it('keeps output that was written before anyone attached', async () => {
    await control.request(T.START, { key: 'early', arg: sh('echo early') });
    expect((await control.exitOf('early')).numbers.status).toBe(0);
    expect((await (await init.attach('early', A.ALL)).streams()).stdout).toBe('early\n');
  });

  it('ends for its readers half a second after it, though a descendant holds its output', async () => {
    const begin = Date.now();
    const peer = await attached('holder', 'sleep 5 & echo done');
    expect((await peer.streams()).stdout).toBe('done\n');
    expect((await control.exitOf('holder')).numbers.status).toBe(0);
    expect(Date.now() - begin).toBeLessThan(3000);
  });

  it('runs two hundred times at once', async () => {
    const keys = Array.from({ length: 200 }, (_, i) => `many.${i}`);
    const peers = await Promise.all(keys.map((key, i) => attached(key, `read x; echo $x-${i}`, F.STDIN)));
    for (const peer of peers) peer.write(T.STDIN, Buffer.from('in\n'));
    const outputs = await Promise.all(peers.map((peer) => peer.streams()));
    expect(outputs.map((o) => o.stdout)).toEqual(keys.map((_, i) => `in-${i}\n`));
    await Promise.all(keys.map((key) => control.exitOf(key)));
    for (const key of keys) expect(await control.errno(T.FORGET, { key })).toBe(0);
  });
});

describe('standard input', () => {
  it('ends for the program when a StdinOnce client ends it', async () => {
    const peer = await attached('once', 'cat; echo end', F.STDIN | F.STDIN_ONCE);
    peer.write(T.STDIN, Buffer.from('hello\n'));
    peer.write(T.STDIN);
    expect((await peer.streams()).stdout).toBe('hello\nend\n');
  });

  it('stays open when another client goes', async () => {
    const peer = await attached('stays', 'read a; read b; echo $a $b', F.STDIN);
    const other = await init.attach('stays', A.STDIN);
    other.write(T.STDIN, Buffer.from('one\n'));
    other.write(T.STDIN);
    other.socket.end();
    await wait(50);
    peer.write(T.STDIN, Buffer.from('two\n'));
    expect((await peer.streams()).stdout).toBe('one two\n');
  });

  it('is empty without the open-stdin flag', async () => {
    // it must still run when the input is sent, or the connection is gone
    const peer = await attached('nostdin', 'cat; sleep 0.5; echo end');
    peer.write(T.STDIN, Buffer.from('lost'));
    expect((await peer.streams()).stdout).toBe('end\n');
  });

  it('takes what was written before the start, and a megabyte through a slow program', async () => {
    await control.request(T.START, { key: 'slow', flags: F.RESERVE | F.STDIN });
    const peer = await init.attach('slow', A.ALL | A.STDIN_ONCE);
    const block = Buffer.alloc(65536, 'x');
    for (let i = 0; i < 16; i++) peer.write(T.STDIN, block);
    peer.write(T.STDIN);
    await wait(100);
    await control.request(T.START, { key: 'slow', flags: F.STDIN, arg: sh('sleep 0.3; wc -c') });
    expect((await peer.streams()).stdout.trim()).toBe('1048576');
  });

  it('holds back a client while the program does not read', async () => {
    const peer = await attached('deaf', 'sleep 60', F.STDIN);
    const before = init.memory();
    for (let i = 0; i < 512; i++) peer.write(T.STDIN, Buffer.alloc(65536));
    await wait(300);
    expect(peer.socket.writableLength).toBeGreaterThan(24 << 20);
    expect(init.memory() - before).toBeLessThan(8192);
    await control.request(T.SIGNAL, { key: 'deaf', signo: 9 });
    await peer.streams();
  });
});

describe('back-pressure', () => {
  it('stops a program that nobody reads, within bounds, and lets it go on afterwards', async () => {
    const before = init.memory();
    const peer = await attached(
      'yes',
      'i=0; while [ $i -lt 40 ]; do head -c 1048576 /dev/zero; i=$((i+1)); done',
    );
    peer.socket.pause();
    await wait(500);
    const pid = await control.request(T.START, { key: 'probe', arg: ['true'] });
    expect(pid.numbers.errno).toBe(0); // berth-init itself goes on
    expect(init.memory() - before).toBeLessThan(8192);
    await expect(control.next((f) => f.type === T.EXIT && f.body.includes('yes'), 300)).rejects.toThrow();
    peer.socket.resume();
    expect((await peer.streams()).stdout.length).toBe(40 << 20);
    expect((await control.exitOf('yes')).numbers.status).toBe(0);
  });

  it('frees the program when the slow client disconnects', async () => {
    const slow = await attached('slowpoke', 'head -c 8000000 /dev/zero', F.DISCARD);
    slow.socket.pause();
    await wait(200);
    slow.socket.destroy();
    expect((await control.exitOf('slowpoke')).numbers.status).toBe(0);
  });
});

describe('a terminal', () => {
  it('has a size, is resized, echoes, and replays its last output', async () => {
    const flags = F.TERMINAL;
    await control.request(T.START, { key: 'tty', flags, rows: 24, cols: 80, arg: ['sh'], env: ['PS1=> '] });
    const first = await init.attach('tty', A.ALL | A.REPLAY);
    first.write(T.STDIN, Buffer.from('stty size; tty\n'));
    expect(await first.output('/dev/pts')).toContain('24 80\r\n');
    expect(await control.errno(T.RESIZE, { key: 'tty', rows: 40, cols: 132 })).toBe(0);
    first.write(T.STDIN, Buffer.from('stty size\n'));
    await first.output('40 132\r\n');
    first.socket.destroy();
    const second = await init.attach('tty', A.ALL | A.REPLAY);
    expect(await second.output('40 132\r\n')).toContain('24 80');
    second.write(T.STDIN, Buffer.from('exit 4\n'));
    await second.streams();
    expect((await control.exitOf('tty')).numbers.status).toBe(4);
    const late = await init.attach('tty', A.STDOUT | A.REPLAY);
    expect((await late.streams()).stdout).toContain('40 132');
    expect(await control.errno(T.RESIZE, { key: 'tty', rows: 1, cols: 1 })).toBe(E.ESRCH);
  });

  it('is the controlling terminal: ^C interrupts, and its end hangs up what is left', async () => {
    await control.request(T.START, { key: 'ctty', flags: F.TERMINAL, arg: ['bash', '--norc'] });
    const peer = await init.attach('ctty', A.ALL | A.REPLAY);
    peer.write(T.STDIN, Buffer.from('sleep 100; echo code=$?\n'));
    await peer.output('sleep 100');
    await wait(200);
    peer.write(T.STDIN, Buffer.of(3));
    await peer.output('^C');
    peer.write(T.STDIN, Buffer.from('echo sleeper=$(sleep 300 >/dev/null & echo $!).; kill -9 $$\n'));
    const sleeper = Number(/sleeper=(\d+)\./.exec(await peer.output('.\r\n').then((s) => s))?.[1] ?? 0);
    expect((await control.exitOf('ctty')).numbers.status).toBe(137);
    await until(() => !readFileSafe(`/proc/${sleeper}/comm`).includes('sleep'), 'the sleeper is hung up');
  });

  it('reads on without anyone attached, keeping the last output only', async () => {
    const arg = sh('i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done');
    await control.request(T.START, { key: 'ring', flags: F.TERMINAL, ring: 4096, arg });
    await control.exitOf('ring');
    const { stdout } = await (await init.attach('ring', A.STDOUT | A.REPLAY)).streams();
    expect(stdout.length).toBeLessThanOrEqual(4096);
    expect(stdout).toMatch(/^line \d+\r\n/);
    expect(stdout.endsWith('line 19999\r\n')).toBe(true);
  });

  it('is refused where there is none', async () => {
    await control.request(T.START, { key: 'pipe', arg: ['sleep', '60'] });
    expect(await control.errno(T.RESIZE, { key: 'pipe', rows: 1, cols: 1 })).toBe(E.ENOTTY);
    await control.request(T.SIGNAL, { key: 'pipe', signo: 9 });
  });
});

function readFileSafe(name: string): string {
  try {
    return readFileSync(name, 'utf8');
  } catch {
    return '';
  }
}

describe('adopting what a program leaves behind', () => {
  /** A program that daemonizes a shell as crun does a container, and writes its pid. */
  const daemonize = (file: string, script: string, before = '') =>
    step('exec', { arg: sh(`setsid sh -c '${script}' & ${before} printf %s $! >${file}`) });

  const adopt = (key: string, script: string, before?: string) => {
    const pidfile = init.file(`${key}.pid`);
    return control.request(T.START, {
      key,
      flags: F.ADOPT,
      pidfile,
      log: init.file(`${key}.log`),
      step: daemonize(pidfile, script, before),
    });
  };

  it('takes over its streams and its exit code', async () => {
    const reply = await adopt('adopted', 'echo up; sleep 0.2; exit 5');
    expect(reply.numbers).toMatchObject({ errno: 0 });
    expect(reply.numbers.pid).toBeGreaterThan(1);
    const exit = await control.exitOf('adopted');
    expect(exit.numbers).toMatchObject({ status: 5, pid: reply.numbers.pid });
    expect(readFileSync(init.file('adopted.log'), 'utf8')).toContain('"log":"up\\n"');
    expect(readFileSafe(init.file('adopted.pid'))).toBe('');
  });

  it('knows the exit code of one that was gone before its pid file was read', async () => {
    for (let i = 0; i < 10; i++) {
      // the middle process waits until its child is an orphan's zombie no more
      const reply = await adopt(`gone.${i}`, 'exit 7', 'sleep 0.05;');
      if (reply.numbers.errno === 0) {
        expect((await control.exitOf(`gone.${i}`)).numbers.status).toBe(7);
      } else {
        expect(reply.numbers.errno).toBe(E.ESRCH); // its own parent reaped it, which crun never does
      }
    }
    const orphan = `(setsid sh -c 'exit 9' & printf %s $! >${init.file('o.pid')}) & wait; sleep 0.1`;
    const reply = await control.request(T.START, {
      key: 'orphan',
      flags: F.ADOPT,
      pidfile: init.file('o.pid'),
      step: step('exec', { arg: sh(orphan) }),
    });
    expect(reply.numbers.errno).toBe(0);
    expect((await control.exitOf('orphan')).numbers.status).toBe(9);
  });

  it('waits for one whose parent goes a moment later', async () => {
    const pidfile = init.file('later.pid');
    // the parent of the process to adopt lives on after the program of the step has ended
    const script = `(sh -c 'sleep 0.4; exit 11' & printf %s $! >${pidfile}.new; mv ${pidfile}.new ${pidfile}; exec sleep 0.2) & while ! [ -e ${pidfile} ]; do sleep 0.01; done`;
    const exec = step('exec', { arg: sh(script) });
    const reply = await control.request(T.START, { key: 'later', flags: F.ADOPT, pidfile, step: exec });
    expect(reply.numbers.errno).toBe(0);
    expect((await control.exitOf('later')).numbers.status).toBe(11);
  });

  it('refuses a pid that is no child', async () => {
    const pidfile = init.file('foreign.pid');
    const exec = step('exec', { arg: sh(`echo ${process.pid} >${pidfile}`) });
    const reply = await control.request(T.START, { key: 'foreign', flags: F.ADOPT, pidfile, step: exec });
    expect(reply.numbers).toMatchObject({ errno: E.ESRCH, stepIndex: -1 });
  });

  it('says what the program said that should have started it', async () => {
    const exec = step('exec', { arg: sh('echo "no such executable" >&2; exit 1') });
    const reply = await control.request(T.START, {
      key: 'failing',
      flags: F.ADOPT,
      pidfile: '/nowhere',
      step: exec,
    });
    expect(reply.numbers).toMatchObject({ errno: E.EIO, stepIndex: 0, exit: 1 });
    expect(reply.texts.text).toBe('no such executable\n');
    expect(await control.errno(T.FORGET, { key: 'failing' })).toBe(E.ESRCH);
  });

  it('ends the streams of clients that waited for a start that failed', async () => {
    await control.request(T.START, { key: 'waited', flags: F.RESERVE });
    const peer = await init.attach('waited', A.ALL);
    expect(await control.errno(T.START, { key: 'waited', arg: ['/nonexistent'] })).toBe(E.ENOENT);
    await peer.streams();
    await peer.closed();
  });

  it('takes a terminal from the console socket', async () => {
    const script = `
import os, pty, socket, sys, array
master, slave = pty.openpty()
if os.fork() == 0:
    os.setsid(); os.login_tty(slave) if hasattr(os, 'login_tty') else [os.dup2(slave, i) for i in range(3)]
    os.execvp('sh', ['sh', '-c', 'stty size; read x; stty size; echo got $x'])
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendmsg([b'pty'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [master]))])
`;
    writeFileSync(
      init.file('console.py'),
      script
        .replace('if os.fork() == 0:', 'pid = os.fork()\nif pid == 0:')
        .concat('open(sys.argv[2], "w").write(str(pid))\n'),
    );
    const [console, pidfile] = [init.file('c.sock'), init.file('c.pid')];
    const exec = step('exec', { arg: ['python3', init.file('console.py'), console, pidfile] });
    const flags = F.ADOPT | F.TERMINAL;
    const reply = await control.request(T.START, {
      key: 'console',
      flags,
      console,
      pidfile,
      rows: 30,
      cols: 90,
      step: exec,
    });
    expect(reply.numbers.errno).toBe(0);
    const peer = await init.attach('console', A.ALL | A.REPLAY);
    peer.write(T.STDIN, Buffer.from('it\n'));
    expect(await peer.output('got it')).toContain('30 90');
    expect((await control.exitOf('console')).numbers.status).toBe(0);
  });

  it('has a time limit for each program', async () => {
    const exec = step('exec', { arg: sh('echo waiting >&2; sleep 60'), timeout: 200 });
    const reply = await control.request(T.START, { step: exec });
    expect(reply.numbers).toMatchObject({ errno: E.ETIMEDOUT, stepIndex: 0 });
    expect(reply.texts.text).toBe('waiting\n');
  });

  it('can be killed while its steps run', async () => {
    const exec = step('exec', { arg: ['sleep', '60'] });
    control.write(T.START, fields({ key: 'stuck', arg: ['true'], step: exec }), 9999);
    await wait(100);
    expect(await control.errno(T.SIGNAL, { key: 'stuck', signo: 9 })).toBe(0);
    const reply = await control.next((f) => f.type === T.REPLY && f.id === 9999);
    expect(reply.body.includes('killed')).toBe(true);
  });
});

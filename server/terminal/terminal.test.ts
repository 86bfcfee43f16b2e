import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FLOW, MAX_TERMINALS, TERMINAL_CLOSE } from '../protocol.ts';
import { ask, change, TestSocket, until } from '../testing/client.ts';
import { startTestServer, type TestServer } from '../testing/setup.ts';

const TERMINALS = '/api/sessions/a-file/terminals';
let test: TestServer;
let sockets: TestSocket[];

beforeEach(async () => {
  test = await startTestServer();
  sockets = [];
  const live = connect('/api/sessions/a-file/live');
  await until('the lab host', () => JSON.stringify(live.last('session') ?? '').includes('"ready"'));
});
afterEach(async () => {
  for (const socket of sockets) socket.close();
  await test.close();
});

function connect(path: string): TestSocket {
  const socket = new TestSocket(test.server.port, path);
  sockets.push(socket);
  return socket;
}

async function open(id = 't1'): Promise<TestSocket> {
  const size = { id, rows: 24, cols: 80 };
  expect((await change(test.server.port, 'POST', TERMINALS, size)).status).toBe(201);
  const socket = connect(`${TERMINALS}/${id}`);
  await until('the prompt', () => socket.text.includes('root@lab'));
  return socket;
}

describe('a terminal', () => {
  it('passes bytes both ways', async () => {
    const socket = await open();
    expect(socket.messages[0]).toEqual({ type: 'attached' });
    socket.type('echo $((6*7))\r');
    await until('the answer', () => socket.text.includes('42\r\n'));
  });

  it('tells the program its size', async () => {
    const socket = await open();
    socket.say({ type: 'resize', rows: 33, cols: 101 });
    await until('the size', async () => {
      socket.type('stty size\r');
      await new Promise((resolve) => setTimeout(resolve, 100));
      return socket.text.includes('33 101');
    });
  });

  it('shows its last output to a page that comes back', async () => {
    const socket = await open();
    socket.type('X=still-here; echo first-$X\r');
    await until('the output', () => socket.text.includes('first-still-here'));
    socket.close();
    const again = connect(`${TERMINALS}/t1`);
    await until('the replay', () => again.text.includes('first-still-here'));
    again.type('echo second-$X\r');
    await until('the same shell', () => again.text.includes('second-still-here'));
  });

  it('outlives the server and the engine', async () => {
    const socket = await open();
    socket.type('X=alive\r');
    await until('the echo', () => socket.text.includes('X=alive'));
    await test.engine.stop();
    await until('the news', () => socket.closeCode !== undefined);
    expect(socket.closeCode).toBe(TERMINAL_CLOSE.away);
    await test.engine.start();
    await test.restart();
    const again = connect(`${TERMINALS}/t1`);
    await until('the prompt', () => again.text.includes('root@lab'));
    again.type('echo $X-$X\r');
    await until('the same shell', () => again.text.includes('alive-alive'));
  });

  it('says how its program ended', async () => {
    const socket = await open();
    socket.type('exit 3\r');
    await until('the end', () => socket.closeCode !== undefined);
    expect(socket.last('exit')).toEqual({ type: 'exit', code: 3 });
    expect(socket.closeCode).toBe(TERMINAL_CLOSE.ended);
    expect(JSON.parse((await ask(test.server.port, TERMINALS)).text)).toEqual([]);
  });

  it('is gone when it was closed or never made', async () => {
    const socket = connect(`${TERMINALS}/t9`);
    await until('the refusal', () => socket.closeCode !== undefined);
    expect(socket.closeCode).toBe(TERMINAL_CLOSE.gone);
  });

  it('makes the program wait for a page that does not show what it gets', async () => {
    const socket = await open();
    const before = socket.received;
    socket.type('yes 0123456789012345678901234567890\r');
    await until('much output', () => socket.received - before > FLOW.high);
    await new Promise((resolve) => setTimeout(resolve, 600));
    const stopped = socket.received;
    const written = test.engine.terminal('local-a-file', 't1')?.written ?? 0;
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(socket.received).toBe(stopped);
    expect(stopped - before).toBeLessThan(FLOW.high * 2);
    expect(test.engine.terminal('local-a-file', 't1')?.written).toBe(written);
    socket.say({ type: 'ack', bytes: stopped });
    await until('more', () => socket.received > stopped + FLOW.low);
  });

  it('takes what is typed although its output waits', async () => {
    const socket = await open();
    socket.type('yes 0123456789012345678901234567890\r');
    await until('much output', () => socket.received > FLOW.high);
    socket.type('\u0003');
    socket.type('echo over-$((1+1))\r');
    await until('the end of it', () => {
      socket.say({ type: 'ack', bytes: 32 * 1024 });
      return socket.text.includes('over-2');
    });
  });

  it('does not believe nonsense', async () => {
    const socket = await open();
    socket.socket.send('{"type":"resize","rows":-1,"cols":1e9}');
    await until('the end', () => socket.closeCode !== undefined);
    expect(socket.closeCode).toBe(1007);
    const large = connect(`${TERMINALS}/t1`);
    await until('the prompt', () => large.text.includes('root@lab'));
    large.socket.send(Buffer.alloc(100_000));
    await until('the end', () => large.closeCode !== undefined);
    expect(large.closeCode).toBe(1009);
  });

  it('is one of a few', async () => {
    for (let index = 1; index <= MAX_TERMINALS; index++) {
      const answer = await change(test.server.port, 'POST', TERMINALS, {
        id: `t${index}`,
        rows: 24,
        cols: 80,
      });
      expect(answer.status).toBe(201);
    }
    const answer = await change(test.server.port, 'POST', TERMINALS, { id: 'more', rows: 24, cols: 80 });
    expect([answer.status, answer.text]).toEqual([409, expect.stringContaining('close one first')]);
    expect((await change(test.server.port, 'DELETE', `${TERMINALS}/t1`)).status).toBe(204);
  });
});

import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../log.ts';
import type { LabPage, LabSummary, RunView, SessionInfo } from '../protocol.ts';
import { ask, change, TestSocket, until } from '../testing/client.ts';
import { startTestServer, type TestServer } from '../testing/setup.ts';
import { ProgressStore } from './store.ts';

let test: TestServer;
let sockets: TestSocket[];

beforeEach(async () => {
  test = await startTestServer();
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.close();
  await test.close();
});

function watch(): TestSocket {
  const socket = new TestSocket(test.server.port, '/api/sessions/a-file/live');
  sockets.push(socket);
  return socket;
}

function phaseOf(socket: TestSocket): string | undefined {
  const session = socket.last('session')?.session as SessionInfo | undefined;
  return session?.phase;
}

function runOf(socket: TestSocket): RunView | undefined {
  return socket.last('run')?.run as RunView | undefined;
}

async function openLesson(): Promise<TestSocket> {
  const { status } = await change(test.server.port, 'POST', '/api/sessions', { lab: 'a-file' });
  expect(status).toBe(201);
  const socket = watch();
  await until('the lab host', () => phaseOf(socket) === 'ready');
  return socket;
}

function run(command: string): void {
  execFileSync('bash', ['-c', command], { cwd: test.engine.directory });
}

describe('the list of lessons', () => {
  it('says what there is and how much is done', async () => {
    const { text } = await ask(test.server.port, '/api/labs');
    const labs: LabSummary[] = JSON.parse(text);
    expect(labs).toMatchObject([{ slug: 'a-file', title: 'A file of your own', steps: 3, done: 0 }]);
  });

  it('has each lesson rendered, with previews at hosts of their own', async () => {
    const { text } = await ask(test.server.port, '/api/labs/a-file');
    const lab: LabPage = JSON.parse(text);
    expect(lab.introduction).toContain('<em>Welcome.</em>');
    expect(lab.steps[0]?.html).toContain('data-run="echo hello &gt; one.txt"');
    const host = `8080--a-file.localhost:${test.server.port}`;
    expect(lab.steps[1]?.html).toContain(`href="http://${host}/"`);
    expect(lab.previewTemplate).toBe(`http://{port}--a-file.localhost:${test.server.port}/`);
    expect(lab.next).toBeNull();
  });

  it('does not know a lesson that is not there', async () => {
    expect((await ask(test.server.port, '/api/labs/nothing')).status).toBe(404);
    expect((await change(test.server.port, 'POST', '/api/sessions', { lab: 'nothing' })).status).toBe(404);
  });

  it('shows a changed lesson at the next look', async () => {
    const file = path.join(test.directory, 'content/labs/a-file/lab.md');
    const before = await readFile(file, 'utf8');
    await writeFile(file, before.replace('*Welcome.*', '*Changed.*'));
    expect((await ask(test.server.port, '/api/labs/a-file')).text).toContain('Changed.');
  });
});

describe('a lab session', () => {
  it('makes the lab host when it is opened, and says how far that is', async () => {
    test.engine.slowness = 300;
    await change(test.server.port, 'POST', '/api/sessions', { lab: 'a-file' });
    const socket = watch();
    await until('the start', () => phaseOf(socket) === 'starting');
    await until('the lab host', () => phaseOf(socket) === 'ready');
    expect([...test.engine.sandboxes.keys()]).toEqual(['local-a-file']);
  });

  it('ticks a step off when its outcome is there', async () => {
    const socket = await openLesson();
    await until('a first look', () => runOf(socket)?.steps[0]?.checks[0]?.status === 'failed');
    expect(runOf(socket)?.steps[0]?.checks[0]).toMatchObject({
      expected: expect.stringContaining('exit code 0'),
      found: expect.stringContaining('exit code 1'),
      hint: expect.stringContaining('says where to'),
    });
    run('touch one.txt');
    test.engine.tell('local-a-file', { kind: 'terminal', terminal: 't1' });
    await until('the tick', () => runOf(socket)?.steps[0]?.status === 'done');
    expect(runOf(socket)?.current).toBe('read');
  });

  it('lets a step without checks be ticked off by hand', async () => {
    run('touch one.txt');
    const socket = await openLesson();
    await until('the tick', () => runOf(socket)?.current === 'read');
    await change(test.server.port, 'POST', '/api/sessions/a-file/steps/read/acknowledge', {});
    await until('the tick', () => runOf(socket)?.current === 'another');
  });

  it('keeps progress over a restart of the server', async () => {
    run('touch one.txt');
    const socket = await openLesson();
    await until('the tick', () => runOf(socket)?.current === 'read');
    await test.restart();
    const labs: LabSummary[] = JSON.parse((await ask(test.server.port, '/api/labs')).text);
    expect(labs[0]?.done).toBe(1);
    const after = watch();
    await until('the run', () => runOf(after)?.current === 'read');
    await until('the lab host', () => phaseOf(after) === 'ready');
  });

  it('says that the engine is away, and goes on by itself', async () => {
    const socket = await openLesson();
    await test.engine.stop();
    await until('the news', () => phaseOf(socket) === 'away');
    run('touch one.txt');
    await test.engine.start();
    await until('the recovery', () => phaseOf(socket) === 'ready');
    await until('the tick', () => runOf(socket)?.steps[0]?.status === 'done');
  });

  it('shows that the lab host is frozen, and thaws it', async () => {
    const socket = await openLesson();
    const sandbox = test.engine.sandboxes.get('local-a-file');
    if (sandbox) sandbox.info.state = 'frozen';
    test.engine.tell('local-a-file', { kind: 'sandbox', state: 'frozen' });
    await until('the news', () => phaseOf(socket) === 'frozen');
    await change(test.server.port, 'POST', '/api/sessions/a-file/thaw', {});
    await until('the thaw', () => phaseOf(socket) === 'ready');
  });

  it('does not bring back a lab host that was removed until it is asked to', async () => {
    const socket = await openLesson();
    test.engine.sandboxes.delete('local-a-file');
    test.engine.tell('local-a-file', { kind: 'sandbox', state: 'deleted' });
    await until('the news', () => phaseOf(socket) === 'failed');
    await change(test.server.port, 'POST', '/api/sessions', { lab: 'a-file' });
    await until('the new one', () => phaseOf(socket) === 'ready');
  });

  it('starts over, with or without the ticks', async () => {
    run('touch one.txt');
    const socket = await openLesson();
    await until('the tick', () => runOf(socket)?.current === 'read');
    run('rm one.txt');
    const kept = await change(test.server.port, 'POST', '/api/sessions/a-file/reset', { forget: false });
    expect(kept.status).toBe(200);
    expect(runOf(socket)?.current).toBe('read');
    await change(test.server.port, 'POST', '/api/sessions/a-file/reset', { forget: true });
    await until('the beginning', () => runOf(socket)?.current === 'file');
    await until('the lab host', () => phaseOf(socket) === 'ready');
    const labs: LabSummary[] = JSON.parse((await ask(test.server.port, '/api/labs')).text);
    expect(labs[0]?.done).toBe(0);
  });
});

describe('stored progress', () => {
  const progress = { version: 1 as const, done: { a: '2026-01-01T00:00:00Z' }, placed: [] };

  it('is whole at any moment, and leaves no temporary files', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'berth-store-'));
    const store = new ProgressStore(directory, createLogger('silent'));
    const writes = Array.from({ length: 20 }, (_, index) =>
      store.save('s', 'lab', { ...progress, placed: Array.from({ length: index }, String) }),
    );
    await Promise.all(writes);
    expect((await store.load('s'))?.placed).toHaveLength(19);
    expect(await readdir(path.join(directory, 'sessions'))).toEqual(['s.json']);
    await rm(directory, { recursive: true });
  });

  it('is set aside when it cannot be read', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'berth-store-'));
    const store = new ProgressStore(directory, createLogger('silent'));
    await mkdir(path.join(directory, 'sessions'));
    await writeFile(path.join(directory, 'sessions/s.json'), '{"version":');
    expect(await store.load('s')).toBeUndefined();
    expect(await readdir(path.join(directory, 'sessions'))).toEqual(['s.json.unreadable']);
    await rm(directory, { recursive: true });
  });
});

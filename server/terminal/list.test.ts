import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ControlClient } from '../../engine/client/client.ts';
import { type FakeEngine, startFakeEngine } from '../testing/fake-engine.ts';
import { TerminalList } from './list.ts';

const SIZE = { rows: 24, cols: 80 };

describe('the terminals of a session with two lab hosts', () => {
  let directory: string;
  let engine: FakeEngine;
  let client: ControlClient;
  let terminals: TerminalList;
  let told: string[][];
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'berth-terminals-'));
    engine = await startFakeEngine(directory);
    client = new ControlClient(engine.socketPath);
    for (const name of ['one', 'two']) await client.createSandbox({ name });
    told = [];
    const sandboxes = new Map([
      ['node1', 'one'],
      ['node2', 'two'],
    ]);
    terminals = new TerminalList(sandboxes, client, (list) => told.push(list.map(({ id }) => id)));
  });
  afterEach(async () => {
    client.close();
    await engine.dispose();
    await rm(directory, { recursive: true });
  });

  it('are each on the lab host that its id names', async () => {
    await terminals.create('t1', SIZE);
    expect(await terminals.create('node2-t1', SIZE)).toEqual({ id: 'node2-t1', host: 'node2' });
    expect(engine.terminal('one', 't1')).toBeDefined();
    expect(engine.terminal('two', 't1')).toBeDefined();
    expect(await terminals.list()).toEqual([
      { id: 't1', host: 'node1' },
      { id: 'node2-t1', host: 'node2' },
    ]);
    await terminals.remove('node2-t1');
    expect(engine.terminal('two', 't1')).toBeUndefined();
    expect(told.at(-1)).toEqual(['t1']);
  });

  it('are the first lab host’s when the id names none that there is', async () => {
    expect(await terminals.create('node3-t1', SIZE)).toEqual({ id: 'node3-t1', host: 'node1' });
    expect(engine.terminal('one', 'node3-t1')).toBeDefined();
    expect(await terminals.exitOf('node2-t9')).toBe('gone');
  });
});

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VolumeRecord } from './record.ts';
import { VolumeStore } from './store.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'berth-volumes-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const bad: Error[] = [];
const open = () =>
  VolumeStore.open(
    directory,
    () => [],
    (error) => bad.push(error),
  );
const volume = (name: string, state: VolumeRecord['state'] = 'ready'): VolumeRecord => ({
  name,
  created: '2026-01-01T00:00:00Z',
  labels: null,
  options: null,
  state,
});

describe('the volumes of a lab host', () => {
  it('survive the engine, whatever their names are', async () => {
    const store = await open();
    const long = 'n'.repeat(255);
    await store.write(volume(long));
    await store.write(volume('CON.json'));
    await store.write(volume('half', 'making'));
    await store.remove('CON.json');
    const again = await open();
    expect(again.list().map(({ name }) => name)).toEqual([long]);
    expect(again.all()).toHaveLength(2);
    expect(() => again.get('half')).toThrow('get half: no such volume');
  });

  it('report a damaged record and go on', async () => {
    const store = await open();
    await store.write(volume('good'));
    await writeFile(path.join(directory, 'volumes', 'bad.json'), '{');
    expect((await open()).list()).toHaveLength(1);
    expect(bad).toHaveLength(1);
    expect(await readdir(path.join(directory, 'volumes'))).toHaveLength(2);
  });

  it('are bounded in number and size', async () => {
    const store = await open();
    for (let n = 0; n < 1000; n++) await store.write(volume(`v${n}`));
    await expect(store.write(volume('one-more'))).rejects.toThrow('this lab host has 1000 volumes');
    await store.remove('v0');
    const labels = { big: 'x'.repeat(5 * 2 ** 20) };
    await expect(store.write({ ...volume('large'), labels })).rejects.toThrow('too large labels');
  });

  it('are changed by one at a time, and nobody waits in a circle', async () => {
    const store = await open();
    const order: string[] = [];
    const job = (name: string, names: string[]) =>
      store.exclusively(names, async () => {
        order.push(`${name}+`);
        await new Promise((resolve) => setTimeout(resolve, 5));
        order.push(`${name}-`);
      });
    await Promise.all([job('a', ['x', 'y']), job('b', ['y', 'x', 'x']), job('c', ['y'])]);
    for (let i = 0; i < order.length; i += 2) expect(order[i]?.[0]).toBe(order[i + 1]?.[0]);
    await expect(store.exclusively(['x'], () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await store.exclusively(['x', 'y'], async () => 'free')).toBe('free');
  });
});

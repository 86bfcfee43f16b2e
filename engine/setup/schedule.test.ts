import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { runTasks, type Task } from './schedule.ts';

describe('work side by side', () => {
  let log: string[] = [];
  const task = (name: string, after: string[] = [], work = async () => {}): Task => ({
    name,
    after,
    async run() {
      log.push(`+${name}`);
      await sleep(10);
      await work();
      log.push(`-${name}`);
    },
  });

  it('runs two at a time, each after what it builds on', async () => {
    log = [];
    await runTasks([task('root'), task('leaf', ['root']), task('other'), task('last', ['gone'])], 2);
    expect(log.slice(0, 2)).toEqual(['+root', '+other']);
    expect(log.indexOf('+leaf')).toBeGreaterThan(log.indexOf('-root'));
    expect(log).toHaveLength(8);
  });

  it('begins nothing after a failure, and lets what runs end', async () => {
    log = [];
    const failing = task('failing', [], () => Promise.reject(new Error('no')));
    await expect(runTasks([failing, task('beside'), task('later')], 2)).rejects.toThrow('no');
    expect(log).toEqual(['+failing', '+beside', '-beside']);
  });

  it('says when things wait for each other', async () => {
    await expect(runTasks([task('a', ['b']), task('b', ['a'])], 2)).rejects.toThrow(
      'wait for each other: a, b',
    );
  });
});

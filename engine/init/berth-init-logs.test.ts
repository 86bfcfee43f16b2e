// Rotation of logs by the real berth-init: sizes, numbers, compression, and following across files.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { T } from './test/codec.ts';
import { E, Init, type Peer } from './test/harness.ts';

const COMPRESS = 64;
const sh = (script: string) => ['sh', '-c', script];

let init: Init;
let control: Peer;

beforeAll(async () => {
  init = await Init.start();
  control = await init.control();
});

afterAll(async () => {
  await init.stop();
});

/** The numbers that a file's lines hold. */
const numbers = (text: string) => [...text.matchAll(/"log":"(\d+)\\n"/g)].map((match) => Number(match[1]));
const counted = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

async function logNumbers(key: string, script: string, options: object): Promise<string> {
  const log = init.file(`${key}.log`);
  const reply = await control.request(T.START, { key, log, arg: sh(script), ...options });
  expect(reply.numbers.errno).toBe(0);
  await control.exitOf(key);
  return log;
}

describe('a log with a limit', () => {
  it('is rotated between two lines, and keeps as many files as it may', async () => {
    const log = await logNumbers('three', 'seq 100 199', { logSize: 1000, logFiles: 3 });
    const files = [`${log}.2`, `${log}.1`, log].map((file) => readFileSync(file, 'utf8'));
    expect(existsSync(`${log}.3`)).toBe(false);
    expect(numbers(files.join(''))).toEqual(counted(199 - numbers(files.join('')).length + 1, 199));
    for (const file of files.slice(0, 2)) {
      expect(file.length).toBeGreaterThanOrEqual(1000);
      expect(file.length).toBeLessThan(1000 + 100);
      expect(file.endsWith('\n')).toBe(true);
    }
  });

  it('is emptied when there may be only one file', async () => {
    const log = await logNumbers('one', 'seq 100 199', { logSize: 1000, logFiles: 1 });
    const kept = numbers(readFileSync(log, 'utf8'));
    expect(kept.at(-1)).toBe(199);
    expect(kept.length).toBeLessThan(20);
    expect(existsSync(`${log}.1`)).toBe(false);
  });

  it('counts what is in it from before', async () => {
    writeFileSync(init.file('again.log'), 'x'.repeat(1000).concat('\n'));
    const log = await logNumbers('again', 'echo 1', { logSize: 1000, logFiles: 2 });
    expect(numbers(readFileSync(log, 'utf8'))).toEqual([1]);
    expect(readFileSync(`${log}.1`, 'utf8')).toContain('xxx');
  });

  it('compresses the older files', async () => {
    const script = 'for i in 1 2 3 4 5 6 7 8; do seq $((i * 20)) $((i * 20 + 19)); sleep 0.15; done';
    const log = await logNumbers('gz', script, { logSize: 1000, logFiles: 4, flags: COMPRESS });
    await expect.poll(() => existsSync(`${log}.1`), { timeout: 5000 }).toBe(false);
    const older = [`${log}.3.gz`, `${log}.2.gz`, `${log}.1.gz`].map((file) =>
      gunzipSync(readFileSync(file)).toString(),
    );
    const kept = numbers(older.join('') + readFileSync(log, 'utf8'));
    expect(kept).toEqual(counted(179 - kept.length + 1, 179));
    expect(kept.length).toBeGreaterThan(39);
    expect(existsSync(`${log}.4.gz`)).toBe(false);
  });

  it('loses nothing while a file is being compressed', async () => {
    const log = await logNumbers('fast', 'seq 1000 9999', {
      logSize: 20_000,
      logFiles: 100,
      flags: COMPRESS,
    });
    const directory = init.directory;
    await expect
      .poll(() => readdirSync(directory).some((name) => /^fast\.log\.\d+$/.test(name)), { timeout: 10_000 })
      .toBe(false);
    const names = readdirSync(directory).filter((name) => /^fast\.log\.\d+\.gz$/.test(name));
    const ordered = names.sort((a, b) => Number(b.split('.')[2]) - Number(a.split('.')[2]));
    const text = ordered.map((name) => gunzipSync(readFileSync(init.file(name))).toString()).join('');
    expect(numbers(text + readFileSync(log, 'utf8'))).toEqual(counted(1000, 9999));
  });

  it('cannot have more files than would be quickly renamed', async () => {
    const reply = await control.request(T.START, {
      key: 'many',
      log: init.file('many.log'),
      logSize: 1000,
      logFiles: 1001,
      arg: sh('true'),
    });
    expect(reply.numbers.errno).toBe(E.EINVAL);
  });

  it('gives lines their attributes', async () => {
    const log = await logNumbers('attrs', 'echo 1; printf 2', { logAttrs: '{"tag":"x"}' });
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      expect(line).toMatch(/^\{"log":"(1\\n|2)","stream":"stdout","attrs":\{"tag":"x"\},"time":"[^"]+Z"\}$/);
    }
  });
});

describe('following a log that is rotated', () => {
  it('sends every line once, also when the reader is files behind', async () => {
    const log = init.file('behind.log');
    await control.request(T.START, {
      key: 'behind',
      log,
      logSize: 200_000,
      logFiles: 50,
      arg: sh('seq 10000 10099; sleep 0.5; seq 10100 59999; sleep 0.3'),
    });
    await expect.poll(() => existsSync(log)).toBe(true);
    const peer = await init.connect();
    const reply = await peer.request(T.FILE, { path: log, key: 'behind' });
    expect(reply.numbers.errno).toBe(0);
    await sleep(1500);
    expect(numbers((await peer.streams()).data)).toEqual(counted(10_000, 59_999));
  });
});

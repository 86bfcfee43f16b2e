import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type LogLine, linesOf } from './lines.ts';

const TIME = '2026-01-02T03:04:05.06Z';
const line = (log: unknown, more: object = {}) =>
  `${JSON.stringify({ log, stream: 'stdout', ...more, time: TIME })}\n`;

async function read(text: string | Buffer, pieceSize = Number.POSITIVE_INFINITY): Promise<LogLine[]> {
  const bytes = Buffer.from(text);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieceSize) {
    pieces.push(bytes.subarray(at, Math.min(bytes.length, at + pieceSize)));
  }
  const lines: LogLine[] = [];
  for await (const batch of linesOf(Readable.from(pieces))) lines.push(...batch);
  return lines;
}
const texts = async (text: string | Buffer, pieceSize?: number) =>
  (await read(text, pieceSize)).map(({ bytes }) => Buffer.from(bytes, 'latin1').toString());

describe('lines of a log', () => {
  const CASES = [
    'hi\n',
    '',
    '\n',
    'no newline',
    'a "quote"\n',
    'back\\slash\n',
    'ends in \\n',
    'tab\tä€😀\n',
    '\\',
  ];

  it.each([1, 7, 64, Number.POSITIVE_INFINITY])('are read in pieces of %d bytes', async (size) => {
    expect(await texts(CASES.map((text) => line(text)).join(''), size)).toEqual(CASES);
  });

  it('have their stream, time and attributes', async () => {
    expect(await read(line('x\n', { stream: 'stderr' }))).toEqual([
      { stream: 'stderr', time: TIME, bytes: 'x\n', attrs: undefined },
    ]);
    const attrs = { tag: 'a","stream":"stderr"', b: '' };
    expect(
      await read(`{"log":"x\\n","stream":"stdout","attrs":${JSON.stringify(attrs)},"time":"${TIME}"}\n`),
    ).toEqual([{ stream: 'stdout', time: TIME, bytes: 'x\n', attrs }]);
  });

  it.each([
    'not json\n',
    '{"log":1}\n',
    '{"log":"x\n',
    '{"log":"x","stream":"other","time":"2026-01-02T03:04:05Z"}\n',
    '{"log":"x","stream":"stdout","time":"yesterday"}\n',
    '{"log":"x","stream":"stdout","time":"2026-99-99T99:99:99Z"}\n',
    '{"log":"x","stream":"stdout","attrs":{"a":1},"time":"2026-01-02T03:04:05Z"}\n',
    `${'x'.repeat(300_000)}\n`,
    `{"log":"${'x'.repeat(300_000)}","stream":"stdout","time":"${TIME}"}\n`,
    '\0\xff\n',
    '"\n',
  ])('leave out what is none (%#)', async (bad) => {
    for (const size of [1000, Number.POSITIVE_INFINITY]) {
      expect(await texts(line('before\n') + bad + line('after\n'), size)).toEqual(['before\n', 'after\n']);
    }
  });

  it('leave out a last one that is not whole', async () => {
    expect(await texts(line('a\n') + line('b\n').slice(0, 20))).toEqual(['a\n']);
  });

  it('keep bytes that are no UTF-8 in plain lines', async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"log":"'),
      Buffer.of(0xff),
      Buffer.from(`","stream":"stdout","time":"${TIME}"}\n`),
    ]);
    expect((await read(bytes))[0]?.bytes).toBe('\xff');
  });
});

import { describe, expect, it } from 'vitest';
import { encodeFrame, Fields, FieldWriter, FrameSplitter, Tag, Type } from './init-codec.ts';
import { readProcess, readReply, startRequest } from './init-messages.ts';
import { StartFailed } from './init-types.ts';

function split(...chunks: Buffer[]) {
  const splitter = new FrameSplitter();
  return chunks.flatMap((chunk) => [...splitter.push(chunk)]);
}

describe('frames', () => {
  const bytes = Buffer.concat([
    encodeFrame(Type.HELLO, 7, new FieldWriter().u32(Tag.VERSION, 1).finish()),
    encodeFrame(Type.STDIN, 0, Buffer.from('abc')),
    encodeFrame(Type.END, 0, new Uint8Array()),
  ]);

  it('have length, type and id in little-endian, as the protocol says', () => {
    expect(bytes.subarray(0, 18)).toEqual(
      Buffer.from([14, 0, 0, 0, 0x01, 7, 0, 0, 0, 1, 4, 0, 0, 0, 1, 0, 0, 0]),
    );
  });

  it('are found however the bytes arrive', () => {
    for (const size of [1, 2, 3, 5, 9, 13, 1000]) {
      const chunks: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
      const frames = split(...chunks);
      expect(frames.map((frame) => [frame.type, frame.id, frame.body.length])).toEqual([
        [Type.HELLO, 7, 9],
        [Type.STDIN, 0, 3],
        [Type.END, 0, 0],
      ]);
    }
  });

  it.each([[0], [4], [4 * 2 ** 20], [0xffffffff]])('of length %i are a violation', (length) => {
    const head = Buffer.alloc(9);
    head.writeUInt32LE(length, 0);
    expect(() => split(head)).toThrow(/does not keep to the protocol/);
  });

  it('larger than 4 MiB are not sent', () => {
    expect(() => encodeFrame(Type.START, 1, Buffer.alloc(4 * 2 ** 20))).toThrow('larger than 4 MiB');
  });
});

describe('fields', () => {
  it('are read with their sizes', () => {
    const body = new FieldWriter()
      .u32(Tag.PID, 0xffffffff)
      .u64(Tag.SIZE, 2n ** 40n)
      .string(Tag.TEXT, 'é')
      .finish();
    const fields = new Fields(body);
    expect([fields.u32(Tag.PID), fields.i32(Tag.PID), fields.u64(Tag.SIZE), fields.string(Tag.TEXT)]).toEqual(
      [0xffffffff, -1, 2n ** 40n, 'é'],
    );
    expect(fields.u32(Tag.ERRNO)).toBeUndefined();
  });

  it('skip unknown tags', () => {
    expect(new Fields(new FieldWriter().string(200, 'x').u32(Tag.PID, 3).finish()).u32(Tag.PID)).toBe(3);
  });

  it('are refused when cut off, past the frame, of another size, or with NUL', () => {
    expect(() => new Fields(Buffer.from([1, 2]))).toThrow(/cut off/);
    expect(() => new Fields(Buffer.from([1, 200, 0, 0, 0, 1]))).toThrow(/past its frame/);
    expect(() => new Fields(new FieldWriter().string(Tag.PID, 'abc').finish()).u32(Tag.PID)).toThrow(
      /3 bytes/,
    );
    expect(() =>
      new Fields(new FieldWriter().bytes(Tag.TEXT, Buffer.from('a\0')).finish()).string(Tag.TEXT),
    ).toThrow(/NUL/);
  });

  it('survive random bytes: what cannot be read is refused, nothing else happens', () => {
    let seed = 12345;
    const random = () => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return seed;
    };
    for (let round = 0; round < 5000; round++) {
      const body = Buffer.from(
        Array.from({ length: random() % 60 }, () => (random() >> 8) & (round % 2 ? 0xff : 0x0f)),
      );
      for (const read of [readProcess, (bytes: Buffer) => readReply(bytes, 'start')]) {
        try {
          read(body);
        } catch (error) {
          const isExpected =
            error instanceof StartFailed || (error instanceof Error && /protocol|errno/.test(error.message));
          expect(isExpected, String(error)).toBe(true);
        }
      }
    }
  });

  it('do not take NUL in what the engine sends', () => {
    expect(() => startRequest([{ kind: 'mkdir', path: '/a\0b' }])).toThrow(/NUL/);
    expect(() => startRequest([], { key: 'a b' })).toThrow(/not a process key/);
  });
});

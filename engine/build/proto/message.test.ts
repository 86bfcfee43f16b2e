import { describe, expect, it } from 'vitest';
import { big, bytes, flag, inner, int, list, map, message, nested, TEXT, text, time } from './message.ts';

const Inner = message({ name: text(1), size: int(2) });
const All = message({
  name: text(1),
  data: bytes(2),
  isOn: flag(3),
  count: int(4),
  large: big(5),
  one: nested(Inner, 6),
  many: list(inner(Inner), 7),
  words: list(TEXT, 8),
  pairs: map(TEXT, 9),
  at: time(10),
});

describe('protocol buffer messages', () => {
  it('are read as they were written', () => {
    const value = {
      name: 'grüße',
      data: Buffer.from([0, 1, 255]),
      isOn: true,
      count: -5,
      large: 2n ** 60n + 1n,
      one: { name: 'x', size: 2 ** 40 },
      many: [
        { name: '', size: 0 },
        { name: 'y', size: 1 },
      ],
      words: ['a', '', 'b'],
      pairs: new Map([
        ['k', 'v'],
        ['', ''],
      ]),
      at: 1_700_000_000_123_456_789n,
    };
    expect(All.decode(All.encode(value))).toEqual(value);
  });

  it('have zero values for what is absent, and skip what they do not know', () => {
    expect(Inner.decode(Buffer.alloc(0))).toEqual({ name: '', size: 0 });
    const later = message({ size: int(2), extra: text(15), odd: int(1) });
    // field 1 is a number here and text there
    expect(Inner.decode(later.encode({ size: 4, extra: 'new', odd: 9 }))).toEqual({ name: '', size: 4 });
  });

  it('are as others write them', () => {
    // protoc --encode of name: "test", size: 150
    expect(Inner.encode({ name: 'test', size: 150 }).toString('hex')).toBe('0a0474657374109601');
  });

  it.each([
    ['a field past the end', '0aff01'],
    ['a cut number', '10ff'],
    ['an unknown wire type', '0f'],
    ['a group without its end', '7b'],
  ])('refuse %s', (_, hex) => {
    expect(() => Inner.decode(Buffer.from(hex, 'hex'))).toThrow();
  });
});

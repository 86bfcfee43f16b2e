import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encodeAnswer, encodeFormatError, parseQuestion, RCODE, reverseAddress, TYPE } from './dns.ts';

/** A question as a resolver sends it. */
function ask(name: string, type: number = TYPE.A, id = 0x1234): Buffer {
  const header = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const labels = name
    .split('.')
    .flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]);
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, type, 0, 1])]);
}

function questionOf(message: Buffer) {
  const question = parseQuestion(message);
  if (!question) throw new Error('it should be a question');
  return question;
}

describe('a DNS message', () => {
  it('is answered with its id, its question, and an address', () => {
    const question = questionOf(ask('web.shop'));
    expect(question).toMatchObject({ id: 0x1234, name: 'web.shop', type: TYPE.A });
    const answer = encodeAnswer(question, RCODE.ok, [{ type: TYPE.A, address: '172.18.0.2' }]);
    expect(answer.toString('hex')).toBe(
      `123481800001000100000000${question.raw.toString('hex')}c00c00010001000002580004ac120002`,
    );
  });

  it('says what there is not', () => {
    const answer = encodeAnswer(questionOf(ask('nope')), RCODE.noName);
    expect(answer.readUInt16BE(2) & 0xf).toBe(RCODE.noName);
    expect(answer.readUInt16BE(6)).toBe(0);
  });

  it('gives names for addresses', () => {
    expect(reverseAddress('2.0.18.172.in-addr.arpa')).toBe('172.18.0.2');
    expect(reverseAddress('2.0.18.in-addr.arpa')).toBeUndefined();
    const answer = encodeAnswer(questionOf(ask('2.0.18.172.in-addr.arpa', TYPE.PTR)), RCODE.ok, [
      { type: TYPE.PTR, name: 'web.shop' },
    ]);
    expect(answer.toString('latin1')).toContain('\x03web\x04shop\x00');
  });

  it('holds as many addresses as fit, and says that there are more', () => {
    const records = Array.from(
      { length: 60 },
      (_, index) => ({ type: TYPE.A, address: `10.0.0.${index}` }) as const,
    );
    const answer = encodeAnswer(questionOf(ask('many')), RCODE.ok, records);
    expect(answer.length).toBeLessThanOrEqual(512);
    expect(answer.readUInt16BE(2) & 0x0200).toBe(0x0200);
    expect(answer.readUInt16BE(6)).toBe(30);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a header alone', ask('x').subarray(0, 12)],
    ['an answer', Buffer.concat([Buffer.from([0, 1, 0x80]), ask('x').subarray(3)])],
    ['no question', Buffer.concat([ask('x').subarray(0, 4), Buffer.from([0, 0]), ask('x').subarray(6)])],
    ['two questions', Buffer.concat([ask('x').subarray(0, 4), Buffer.from([0, 2]), ask('x').subarray(6)])],
    [
      'a name that points to itself',
      Buffer.concat([ask('x').subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]),
    ],
    [
      'a label that reaches past the end',
      Buffer.concat([ask('x').subarray(0, 12), Buffer.from([60, 97, 0, 0, 1])]),
    ],
    ['a name without an end', Buffer.concat([ask('x').subarray(0, 12), Buffer.alloc(400, 1)])],
    ['another class', Buffer.concat([ask('x').subarray(0, -1), Buffer.from([3])])],
  ])('that is %s is refused', (_what, message) => {
    expect(parseQuestion(message)).toBeUndefined();
    expect(encodeFormatError(message).readUInt16BE(2)).toBe(0x8000 | RCODE.formatError);
  });

  it('may be any bytes', () => {
    for (let round = 0; round < 2000; round++) {
      const bytes = randomBytes(round % 80);
      if (round % 2) ask('some.name').copy(bytes, 0, 0, Math.min(16, bytes.length));
      const question = parseQuestion(bytes);
      if (question) expect(encodeAnswer(question, RCODE.ok).length).toBeGreaterThan(12);
    }
  });
});

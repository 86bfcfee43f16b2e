// DNS messages (RFC 1035), as much of them as the embedded name server needs: one question in, addresses or a name out.

export const TYPE = { A: 1, PTR: 12, AAAA: 28, ANY: 255 } as const;
export const RCODE = { ok: 0, formatError: 1, serverFailure: 2, noName: 3, notImplemented: 4 } as const;

const HEADER = 12;
const CLASS_IN = 1;
const CLASS_ANY = 255;
/** Seconds, as Docker's server says. */
const TTL = 600;
const MAX_NAME = 255;
/** A UDP message of a client that did not say that it takes more (RFC 1035, 2.3.4). */
const MAX_MESSAGE = 512;

const FLAG = { response: 0x8000, truncated: 0x0200, recursionDesired: 0x0100, recursionAvailable: 0x0080 };
const OPCODE = 0x7800;

/** A question; the name without its last dot, as it was asked. */
export interface Question {
  id: number;
  flags: number;
  name: string;
  type: number;
  /** the question as it stands in the message, to be repeated in the answer */
  raw: Buffer;
}

/** Reads a message with one question; undefined when it is not one that can be answered. */
export function parseQuestion(message: Buffer): Question | undefined {
  if (message.length < HEADER + 5) return undefined;
  const flags = message.readUInt16BE(2);
  if ((flags & FLAG.response) !== 0 || (flags & OPCODE) !== 0 || message.readUInt16BE(4) !== 1)
    return undefined;
  const labels: string[] = [];
  let at = HEADER;
  for (;;) {
    const length = message[at];
    // Compression has no place in the first name of a message.
    if (length === undefined || length > 63 || at + length - HEADER > MAX_NAME) return undefined;
    if (length === 0) break;
    if (at + 1 + length > message.length) return undefined;
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const end = at + 5;
  if (end > message.length) return undefined;
  const type = message.readUInt16BE(at + 1);
  const kind = message.readUInt16BE(at + 3);
  if (kind !== CLASS_IN && kind !== CLASS_ANY) return undefined;
  return {
    id: message.readUInt16BE(0),
    flags,
    name: labels.join('.'),
    type,
    raw: message.subarray(HEADER, end),
  };
}

/** What an answer has beside the question. */
export type DnsRecord = { type: typeof TYPE.A; address: string } | { type: typeof TYPE.PTR; name: string };

/** An answer to a question, with as many records as fit. */
export function encodeAnswer(question: Question, rcode: number, records: readonly DnsRecord[] = []): Buffer {
  const encoded = records.map(encodeRecord);
  let size = HEADER + question.raw.length;
  const fitting = encoded.filter((record) => {
    size += record.length;
    return size <= MAX_MESSAGE;
  });
  const isTruncated = fitting.length < encoded.length;
  const header = Buffer.alloc(HEADER);
  header.writeUInt16BE(question.id, 0);
  const flags =
    FLAG.response |
    FLAG.recursionAvailable |
    (question.flags & FLAG.recursionDesired) |
    (isTruncated ? FLAG.truncated : 0) |
    rcode;
  header.writeUInt16BE(flags, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(fitting.length, 6);
  return Buffer.concat([header, question.raw, ...fitting]);
}

/** The answer to what is no question: its id, if it has one, and a format error. */
export function encodeFormatError(message: Buffer): Buffer {
  const header = Buffer.alloc(HEADER);
  if (message.length >= 2) message.copy(header, 0, 0, 2);
  header.writeUInt16BE(FLAG.response | RCODE.formatError, 2);
  return header;
}

function encodeRecord(record: DnsRecord): Buffer {
  const data =
    record.type === TYPE.A ? Buffer.from(record.address.split('.').map(Number)) : encodeName(record.name);
  const head = Buffer.alloc(12);
  // the name: where the question's stands
  head.writeUInt16BE(0xc000 | HEADER, 0);
  head.writeUInt16BE(record.type, 2);
  head.writeUInt16BE(CLASS_IN, 4);
  head.writeUInt32BE(TTL, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function encodeName(name: string): Buffer {
  const labels = name
    .split('.')
    .filter((label) => label !== '')
    .map((label) => Buffer.from(label, 'latin1').subarray(0, 63));
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), label]),
    Buffer.from([0]),
  ]);
}

/** The address that a reverse look-up asks for: `2.0.18.172.in-addr.arpa`; undefined when it is none. */
export function reverseAddress(name: string): string | undefined {
  const [, a, b, c, d] = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/i.exec(name) ?? [];
  return a === undefined ? undefined : [d, c, b, a].join('.');
}

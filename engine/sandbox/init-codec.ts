// The wire form of berth-init's protocol: frames and fields (engine/init/PROTOCOL.md). Every byte read is untrusted.

import { InvalidParameter } from '../errors.ts';

export const PROTOCOL_VERSION = 1;

/** Frame types. */
export const Type = {
  HELLO: 0x01,
  START: 0x02,
  SIGNAL: 0x03,
  RESIZE: 0x04,
  ATTACH: 0x05,
  FILE: 0x06,
  DIAL: 0x07,
  FORGET: 0x08,
  DNS_LISTEN: 0x09,
  DNS_CLOSE: 0x0a,
  DNS_ANSWER: 0x0b,
  SHUTDOWN: 0x0c,
  REPLY: 0x40,
  PROCESS: 0x41,
  EXIT: 0x42,
  DNS_QUERY: 0x43,
  STDIN: 0x50,
  STDOUT: 0x51,
  STDERR: 0x52,
  DATA: 0x53,
  END: 0x54,
} as const;

/** Field tags. */
export const Tag = {
  VERSION: 1,
  KEY: 2,
  SIGNO: 3,
  ROWS: 4,
  COLS: 5,
  FLAGS: 6,
  ARG: 7,
  ENV: 8,
  CWD: 9,
  UID: 10,
  GID: 11,
  GROUP: 12,
  CONSOLE: 13,
  QUERY: 14,
  PIDFILE: 15,
  LOG: 16,
  RING: 17,
  CGROUP: 18,
  STEP: 19,
  PATH: 20,
  MODE: 21,
  BYTES: 22,
  NETNS: 23,
  ADDR: 24,
  PORT: 25,
  ERRNO: 26,
  TEXT: 27,
  STEP_INDEX: 28,
  TARGET: 29,
  SOURCE: 30,
  FSTYPE: 31,
  DATA: 32,
  TIMEOUT: 33,
  OOM: 34,
  BOOT: 35,
  GROUP_SIGNAL: 36,
  TAIL: 37,
  LIMIT: 38,
  OFFSET: 39,
  SIZE: 40,
  MTIME: 41,
  EXIT: 42,
  PID: 43,
  STATE: 44,
  STATUS: 45,
  STARTED: 46,
  FINISHED: 47,
  LOG_SIZE: 48,
  LOG_FILES: 49,
  LOG_ATTRS: 50,
  INODE: 51,
} as const;

/** The longest frame that may be sent. */
const MAX_FRAME = 4 * 2 ** 20;
/** The longest that berth-init has reason to send: raw data and DNS messages are at most 64 KiB. */
const MAX_RECEIVED = 2 ** 16 + 1024;
/** Raw bytes of one STDIN frame. */
export const MAX_RAW = 2 ** 16;
const HEADER = 9;

/** A received frame; `body` is its fields or raw bytes. */
export interface Frame {
  type: number;
  id: number;
  body: Buffer;
}

/** Builds a list of fields. Numbers are little-endian; strings must not hold NUL. */
export class FieldWriter {
  readonly #parts: Buffer[] = [];

  bytes(tag: number, value: Uint8Array): this {
    const head = Buffer.allocUnsafe(5);
    head.writeUInt8(tag, 0);
    head.writeUInt32LE(value.length, 1);
    this.#parts.push(head, Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    return this;
  }

  string(tag: number, value: string): this {
    if (value.includes('\0')) throw new InvalidParameter('a string for the sandbox holds a NUL byte');
    return this.bytes(tag, Buffer.from(value, 'utf8'));
  }

  strings(tag: number, values: readonly string[] | undefined): this {
    for (const value of values ?? []) this.string(tag, value);
    return this;
  }

  u32(tag: number, value: number): this {
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeUInt32LE(value >>> 0, 0);
    return this.bytes(tag, bytes);
  }

  u64(tag: number, value: number | bigint): this {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeBigUInt64LE(BigInt(value), 0);
    return this.bytes(tag, bytes);
  }

  /** Adds the field only when there is a value. */
  optional<T>(value: T | undefined, add: (value: T) => void): this {
    if (value !== undefined) add(value);
    return this;
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** The fields of a received frame; reading one of the wrong size is a violation of the protocol. */
export class Fields {
  readonly #values = new Map<number, Buffer>();

  constructor(body: Buffer) {
    for (let at = 0; at < body.length; ) {
      if (at + 5 > body.length) throw violation('a field is cut off');
      const tag = body.readUInt8(at);
      const length = body.readUInt32LE(at + 1);
      if (length > body.length - at - 5) throw violation('a field reaches past its frame');
      this.#values.set(tag, body.subarray(at + 5, at + 5 + length));
      at += 5 + length;
    }
  }

  u32(tag: number): number | undefined {
    return this.#number(tag, 4)?.readUInt32LE(0);
  }

  i32(tag: number): number | undefined {
    return this.#number(tag, 4)?.readInt32LE(0);
  }

  u64(tag: number): bigint | undefined {
    return this.#number(tag, 8)?.readBigUInt64LE(0);
  }

  bytes(tag: number): Buffer | undefined {
    return this.#values.get(tag);
  }

  string(tag: number): string | undefined {
    const value = this.#values.get(tag);
    if (value?.includes(0)) throw violation('a string holds NUL');
    return value?.toString('utf8');
  }

  #number(tag: number, size: number): Buffer | undefined {
    const value = this.#values.get(tag);
    if (value && value.length !== size)
      throw violation(`field ${tag} has ${value.length} bytes, not ${size}`);
    return value;
  }
}

/** What berth-init (or who took its place) sent is not the protocol: the connection is of no more use. */
export function violation(what: string): InvalidParameter {
  return new InvalidParameter(`the sandbox's PID 1 does not keep to the protocol: ${what}`);
}

/** The bytes of a frame. */
export function encodeFrame(type: number, id: number, body: Uint8Array): Buffer {
  const length = body.length + HEADER - 4;
  if (length > MAX_FRAME) throw new InvalidParameter('request to the sandbox is larger than 4 MiB');
  const head = Buffer.allocUnsafe(HEADER);
  head.writeUInt32LE(length, 0);
  head.writeUInt8(type, 4);
  head.writeUInt32LE(id, 5);
  return Buffer.concat([head, body]);
}

/** Cuts a byte stream into frames; holds at most one frame beyond what it was given. */
export class FrameSplitter {
  #held: Buffer[] = [];
  #size = 0;

  /** The frames that are whole now. Throws at a length that is out of range. */
  *push(chunk: Buffer): Generator<Frame> {
    this.#held.push(chunk);
    this.#size += chunk.length;
    for (;;) {
      const length = this.#peekLength();
      if (length === undefined || this.#size < 4 + length) return;
      const bytes = this.#held.length === 1 ? (this.#held[0] ?? chunk) : Buffer.concat(this.#held);
      const rest = bytes.subarray(4 + length);
      this.#held = rest.length > 0 ? [rest] : [];
      this.#size = rest.length;
      yield { type: bytes.readUInt8(4), id: bytes.readUInt32LE(5), body: bytes.subarray(HEADER, 4 + length) };
    }
  }

  #peekLength(): number | undefined {
    if (this.#size < 4) return undefined;
    let first = this.#held[0];
    if (!first || first.length < 4) {
      first = Buffer.concat(this.#held);
      this.#held = [first];
    }
    const length = first.readUInt32LE(0);
    if (length < HEADER - 4 || length > MAX_RECEIVED) throw violation(`a frame of ${length} bytes`);
    return length;
  }
}

// Protocol buffer messages as data: a message is a table of its fields, from which its type, reader and writer follow.

import protobuf from 'protobufjs/minimal.js';

type Reader = protobuf.Reader;
type Writer = protobuf.Writer;

const WIRE = { varint: 0, fixed64: 1, bytes: 2 } as const;

/** How one value of a field is written; fields of another wire type than this are skipped, as unknown ones are. */
interface Kind<T> {
  wire: number;
  read(reader: Reader): T;
  write(writer: Writer, value: T): void;
  /** what an absent field means (proto3) */
  zero(): T;
  isZero(value: T): boolean;
}

/** A field of a message. Methods, so that a table may hold fields of any type. */
export interface Field<T> {
  readonly number: number;
  readonly wire: number;
  absent(): T;
  /** the field's value with one more occurrence of it */
  take(before: T, reader: Reader): T;
  put(writer: Writer, value: T): void;
}

type Fields = Record<string, Field<unknown>>;
type ValueOf<F extends Fields> = { [Name in keyof F]: F[Name] extends Field<infer T> ? T : never };

/** A kind of message. */
export interface Message<T> {
  /** Throws RangeError or Error when the bytes are no message. */
  decode(bytes: Uint8Array): T;
  encode(value: Partial<T>): Buffer;
}

/** What a message is read as. */
export type Value<M> = M extends Message<infer T> ? T : never;

/**
 * @example
 * const Point = message({ x: int(1), labels: list(TEXT, 2) });
 * Point.decode(Point.encode({ x: 3 })); // { x: 3, labels: [] }
 */
export function message<F extends Fields>(fields: F): Message<ValueOf<F>> {
  const table = Object.entries(fields);
  const byNumber = new Map(table.map((entry) => [entry[1].number, entry]));
  return {
    decode(bytes) {
      const reader = protobuf.Reader.create(bytes);
      const values = new Map<string, unknown>(table.map(([name, field]) => [name, field.absent()]));
      while (reader.pos < reader.len) {
        const tag = reader.uint32();
        const [name, field] = byNumber.get(tag >>> 3) ?? [];
        if (name === undefined || field?.wire !== (tag & 7)) reader.skipType(tag & 7);
        else values.set(name, field.take(values.get(name), reader));
      }
      // the table of fields is what the type was made of
      return Object.fromEntries(values) as ValueOf<F>;
    },
    encode(value) {
      const writer = protobuf.Writer.create();
      for (const [name, each] of Object.entries(value))
        if (each !== undefined) fields[name]?.put(writer, each);
      return Buffer.from(writer.finish());
    },
  };
}

function toBigInt(value: unknown): bigint {
  if (typeof value === 'object' && value !== null && 'low' in value && 'high' in value) {
    return (BigInt(Number(value.high)) << 32n) | BigInt(Number(value.low) >>> 0);
  }
  return BigInt(Number(value));
}

export const TEXT: Kind<string> = {
  wire: WIRE.bytes,
  read: (reader) => reader.string(),
  write: (writer, value) => void writer.string(value),
  zero: () => '',
  isZero: (value) => value === '',
};
export const BYTES: Kind<Buffer> = {
  wire: WIRE.bytes,
  read: (reader) => {
    const bytes = reader.bytes();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  },
  write: (writer, value) => void writer.bytes(value),
  zero: () => Buffer.alloc(0),
  isZero: (value) => value.length === 0,
};
const FLAG: Kind<boolean> = {
  wire: WIRE.varint,
  read: (reader) => reader.bool(),
  write: (writer, value) => void writer.bool(value),
  zero: () => false,
  isZero: (value) => !value,
};
/** int32, uint32, enum and int64 alike; beyond 2⁵³ the value is not exact */
const INTEGER: Kind<number> = {
  wire: WIRE.varint,
  read: (reader) => Number(toBigInt(reader.int64())),
  write: (writer, value) => void writer.int64(value),
  zero: () => 0,
  isZero: (value) => value === 0,
};
const BIG: Kind<bigint> = {
  wire: WIRE.varint,
  read: (reader) => toBigInt(reader.int64()),
  write: (writer, value) => void writer.int64(value.toString()),
  zero: () => 0n,
  isZero: (value) => value === 0n,
};

function single<T>(kind: Kind<T>, number: number): Field<T> {
  return {
    number,
    wire: kind.wire,
    absent: kind.zero,
    take: (_, reader) => kind.read(reader),
    put(writer, value) {
      if (kind.isZero(value)) return;
      kind.write(writer.uint32((number << 3) | kind.wire), value);
    },
  };
}

export const text = (number: number): Field<string> => single(TEXT, number);
export const bytes = (number: number): Field<Buffer> => single(BYTES, number);
export const flag = (number: number): Field<boolean> => single(FLAG, number);
export const int = (number: number): Field<number> => single(INTEGER, number);
export const big = (number: number): Field<bigint> => single(BIG, number);

/** A message inside of a message, as an element of lists and maps. */
export function inner<T>(type: Message<T>): Kind<T> {
  return {
    wire: WIRE.bytes,
    read: (reader) => type.decode(reader.bytes()),
    write: (writer, value) => void writer.bytes(type.encode(value)),
    zero: () => type.decode(Buffer.alloc(0)),
    isZero: () => false,
  };
}

/** A message inside of a message; undefined when absent. */
export function nested<T>(type: Message<T>, number: number): Field<T | undefined> {
  return {
    number,
    wire: WIRE.bytes,
    absent: () => undefined,
    take: (_, reader) => type.decode(reader.bytes()),
    put(writer, value) {
      if (value !== undefined) writer.uint32((number << 3) | WIRE.bytes).bytes(type.encode(value));
    },
  };
}

/** A repeated field of strings, bytes or messages. */
export function list<T>(kind: Kind<T>, number: number): Field<T[]> {
  return {
    number,
    wire: kind.wire,
    absent: () => [],
    take(before, reader) {
      before.push(kind.read(reader));
      return before;
    },
    put(writer, values) {
      for (const value of values) kind.write(writer.uint32((number << 3) | kind.wire), value);
    },
  };
}

/** A map from strings. */
export function map<T>(kind: Kind<T>, number: number): Field<Map<string, T>> {
  const entry = message({ key: text(1), value: single({ ...kind, isZero: () => false }, 2) });
  return {
    number,
    wire: WIRE.bytes,
    absent: () => new Map(),
    take(before, reader) {
      const { key, value } = entry.decode(reader.bytes());
      return before.set(key, value);
    },
    put(writer, values) {
      for (const [key, value] of values) {
        writer.uint32((number << 3) | WIRE.bytes).bytes(entry.encode({ key, value }));
      }
    },
  };
}

const NANOS = 1_000_000_000n;
const Timestamp = message({ seconds: big(1), nanos: int(2) });

/** google.protobuf.Timestamp, as nanoseconds since the epoch. */
export function time(number: number): Field<bigint | undefined> {
  return {
    number,
    wire: WIRE.bytes,
    absent: () => undefined,
    take: (_, reader) => {
      const { seconds, nanos } = Timestamp.decode(reader.bytes());
      return seconds * NANOS + BigInt(nanos);
    },
    put(writer, value) {
      if (value === undefined) return;
      const encoded = Timestamp.encode({ seconds: value / NANOS, nanos: Number(value % NANOS) });
      writer.uint32((number << 3) | WIRE.bytes).bytes(encoded);
    },
  };
}

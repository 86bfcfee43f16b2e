// A second, independent reading of PROTOCOL.md, so that a misunderstanding of the engine's codec shows in the tests.

export const T = {
  HELLO: 1,
  START: 2,
  SIGNAL: 3,
  RESIZE: 4,
  ATTACH: 5,
  FILE: 6,
  DIAL: 7,
  FORGET: 8,
  DNS_LISTEN: 9,
  DNS_CLOSE: 10,
  DNS_ANSWER: 11,
  SHUTDOWN: 12,
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

const TAGS = {
  version: [1, 'u32'],
  key: [2, 'string'],
  signo: [3, 'u32'],
  rows: [4, 'u32'],
  cols: [5, 'u32'],
  flags: [6, 'u32'],
  arg: [7, 'string'],
  env: [8, 'string'],
  cwd: [9, 'string'],
  uid: [10, 'u32'],
  gid: [11, 'u32'],
  group: [12, 'u32'],
  console: [13, 'string'],
  query: [14, 'u32'],
  pidfile: [15, 'string'],
  log: [16, 'string'],
  ring: [17, 'u32'],
  cgroup: [18, 'string'],
  step: [19, 'bytes'],
  path: [20, 'string'],
  mode: [21, 'u32'],
  bytes: [22, 'bytes'],
  netns: [23, 'string'],
  addr: [24, 'string'],
  port: [25, 'u32'],
  errno: [26, 'u32'],
  text: [27, 'string'],
  stepIndex: [28, 'i32'],
  target: [29, 'string'],
  source: [30, 'string'],
  fstype: [31, 'string'],
  data: [32, 'string'],
  timeout: [33, 'u32'],
  oom: [34, 'u32'],
  boot: [35, 'string'],
  groupSignal: [36, 'u32'],
  tail: [37, 'u32'],
  limit: [38, 'u64'],
  offset: [39, 'u64'],
  size: [40, 'u64'],
  mtime: [41, 'u64'],
  exit: [42, 'i32'],
  pid: [43, 'u32'],
  state: [44, 'u32'],
  status: [45, 'i32'],
  started: [46, 'u64'],
  finished: [47, 'u64'],
  logSize: [48, 'u64'],
  logFiles: [49, 'u32'],
  logAttrs: [50, 'string'],
  inode: [51, 'u64'],
  mountFlags: [6, 'u64'],
} as const;

type Name = keyof typeof TAGS;
type Value = number | bigint | string | Uint8Array;
export type Input = { [N in Name]?: Value | readonly Value[] };

function bytesOf(kind: string, value: Value): Buffer {
  if (kind === 'u32' || kind === 'i32') {
    const b = Buffer.alloc(4);
    b.writeInt32LE(Number(value) | 0);
    return b;
  }
  if (kind === 'u64') {
    const b = Buffer.alloc(8);
    b.writeBigUInt64LE(BigInt(String(value)));
    return b;
  }
  return typeof value === 'string'
    ? Buffer.from(value)
    : Buffer.from(value instanceof Uint8Array ? value : []);
}

export function field(tag: number, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head[0] = tag;
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

export function fields(input: Input): Buffer {
  const parts: Buffer[] = [];
  for (const name of Object.keys(TAGS).filter((n): n is Name => n in TAGS)) {
    const value = input[name];
    if (value === undefined) continue;
    const [tag, kind] = TAGS[name];
    const list: readonly Value[] =
      value instanceof Uint8Array || !Array.isArray(value) ? [value].flat() : value;
    for (const one of list) parts.push(field(tag, bytesOf(kind, one)));
  }
  return Buffer.concat(parts);
}

export function frame(type: number, id: number, body: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUInt32LE(5 + body.length, 0);
  head[4] = type;
  head.writeUInt32LE(id, 5);
  return Buffer.concat([head, body]);
}

const KINDS = {
  mkdir: 1,
  write: 2,
  symlink: 3,
  mount: 4,
  umount: 5,
  rmtree: 6,
  rmcgroup: 7,
  netns: 8,
  exec: 9,
  chdir: 10,
  netnsRemove: 11,
};

export function step(kind: keyof typeof KINDS, input: Input): Buffer {
  return Buffer.concat([Buffer.of(KINDS[kind]), fields(input)]);
}

/** The fields of a REPLY or an event, by name. */
export interface Fields {
  numbers: Partial<Record<string, number>>;
  big: Partial<Record<string, bigint>>;
  texts: Partial<Record<string, string>>;
  bytes: Partial<Record<string, Buffer>>;
}

export interface Frame {
  type: number;
  id: number;
  body: Buffer;
}

export function parse(body: Buffer): Fields {
  const out: Fields = { numbers: {}, big: {}, texts: {}, bytes: {} };
  for (let at = 0; at < body.length; ) {
    const tag = body.readUInt8(at);
    const value = body.subarray(at + 5, at + 5 + body.readUInt32LE(at + 1));
    at += 5 + value.length;
    const entry = Object.entries(TAGS).find(([, [number]]) => number === tag);
    if (!entry) continue;
    const [name, [, kind]] = entry;
    if (kind === 'u32') out.numbers[name] = value.readUInt32LE();
    else if (kind === 'i32') out.numbers[name] = value.readInt32LE();
    else if (kind === 'u64') out.big[name] = value.readBigUInt64LE();
    else if (kind === 'string') out.texts[name] = value.toString();
    else out.bytes[name] = Buffer.from(value);
  }
  return out;
}

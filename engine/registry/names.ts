// Which addresses a registry's name has inside a sandbox: what its own hosts file and its own name server say.

import { randomInt } from 'node:crypto';
import { isIP, isIPv4 } from 'node:net';
import { NotFound } from '../errors.ts';
import type { InitApi } from '../sandbox/init-types.ts';

const MAX_FILE = 64 * 1024;
const MAX_ANSWER = 4096;
const MAX_ADDRESSES = 8;
const DNS_PORT = 53;
const DNS_TIMEOUT = 5000;
const TYPE_A = 1;
const CLASS_IN = 1;

/** Addresses to try, in order; none when the name is not known. */
export async function resolveInSandbox(init: InitApi, host: string, signal: AbortSignal): Promise<string[]> {
  const name = host.toLowerCase();
  if (isIP(name) !== 0) return [name];
  const known = fromHosts(await readSmallFile(init, '/etc/hosts'), name);
  if (known.length > 0) return known;
  if (name === 'localhost') return ['127.0.0.1', '::1'];
  const servers = nameservers(await readSmallFile(init, '/etc/resolv.conf'));
  for (const server of servers) {
    signal.throwIfAborted();
    const addresses = await ask(init, server, name).catch((): string[] => []);
    if (addresses.length > 0) return addresses;
  }
  return [];
}

/** A file of the sandbox, '' when it is not there or cannot be read; of a longer one only its beginning. */
export async function readSmallFile(init: InitApi, path: string): Promise<string> {
  try {
    const { body } = await init.readFile(path, { limit: MAX_FILE });
    const chunks: Buffer[] = [];
    for await (const chunk of body) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    if (error instanceof NotFound) return '';
    throw error;
  }
}

function fromHosts(text: string, name: string): string[] {
  const found = text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    return isIP(address) !== 0 && names.some((each) => each.toLowerCase() === name) ? [address] : [];
  });
  // the sandbox's services listen on IPv4 unless they say otherwise
  return found.sort((a, b) => Number(isIPv4(b)) - Number(isIPv4(a))).slice(0, MAX_ADDRESSES);
}

function nameservers(text: string): string[] {
  return [...text.matchAll(/^nameserver\s+(\S+)/gm)]
    .flatMap(([, address]) => (address !== undefined && isIP(address) !== 0 ? [address] : []))
    .slice(0, 3);
}

/** One question by TCP (RFC 1035, 4.2.2), from inside the sandbox. */
async function ask(init: InitApi, server: string, name: string): Promise<string[]> {
  const id = randomInt(0x10000);
  const socket = await init.dial(server, DNS_PORT, { timeout: DNS_TIMEOUT });
  const timer = setTimeout(() => socket.destroy(), DNS_TIMEOUT);
  try {
    const question = encodeQuestion(id, name);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(question.length);
    socket.write(Buffer.concat([length, question]));
    let bytes = Buffer.alloc(0);
    for await (const chunk of socket) {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length > MAX_ANSWER) return [];
      if (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
        return decodeAddresses(bytes.subarray(2, 2 + bytes.readUInt16BE(0)), id);
      }
    }
    return [];
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/** A recursive question for IPv4 addresses. */
export function encodeQuestion(id: number, name: string): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(0x0100, 2);
  header.writeUInt16BE(1, 4);
  const labels = name.split('.').map((label) => {
    const bytes = Buffer.from(label.slice(0, 63), 'latin1');
    return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  });
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, TYPE_A, 0, CLASS_IN])]);
}

/** The IPv4 addresses of an answer; none when it is not one to our question, or makes no sense. */
export function decodeAddresses(message: Buffer, id: number): string[] {
  const found: string[] = [];
  if (
    message.length < 12 ||
    message.readUInt16BE(0) !== id ||
    (message.readUInt16BE(2) & 0x800f) !== 0x8000
  ) {
    return [];
  }
  let at: number | undefined = 12;
  for (let i = message.readUInt16BE(4); i > 0 && at !== undefined; i--) {
    at = afterName(message, at);
    if (at !== undefined) at += 4;
  }
  for (let i = message.readUInt16BE(6); i > 0 && at !== undefined && found.length < MAX_ADDRESSES; i--) {
    at = afterName(message, at);
    if (at === undefined || at + 10 > message.length) break;
    const type = message.readUInt16BE(at);
    const size = message.readUInt16BE(at + 8);
    const data = message.subarray(at + 10, at + 10 + size);
    if (type === TYPE_A && data.length === 4) found.push([...data].join('.'));
    at += 10 + size;
  }
  return found;
}

function afterName(message: Buffer, start: number): number | undefined {
  for (let at = start; ; ) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length === 0) return at + 1;
    if ((length & 0xc0) === 0xc0) return at + 2;
    at += length + 1;
  }
}

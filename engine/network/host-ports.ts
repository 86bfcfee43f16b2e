// Ports that programs of the lab host itself hold, as the kernel lists them (proc_pid_net(5)): they cannot be published.

import type { InitApi } from '../sandbox/init-types.ts';
import { formatAddress } from './subnet.ts';

/** A port that something listens on. */
export interface HeldPort {
  proto: 'tcp' | 'udp';
  /** 0.0.0.0 is every address, also of a socket that takes both families */
  address: string;
  port: number;
}

/** Bytes of one table: what is beyond belongs to a lab host with thousands of sockets, and is not looked at. */
const LIMIT = 2 ** 20;
const TABLES = [
  ['tcp', 'tcp'],
  ['tcp', 'tcp6'],
  ['udp', 'udp'],
  ['udp', 'udp6'],
] as const;
/** States of sockets that wait for others: TCP_LISTEN, and TCP_CLOSE for UDP. */
const WAITING = { tcp: '0A', udp: '07' } as const;

/** What is held now. A table that cannot be read counts as empty. */
export async function heldPorts(init: InitApi): Promise<HeldPort[]> {
  const tables = await Promise.all(
    TABLES.map(async ([proto, file]) => parseTable(proto, await readTable(init, `/proc/net/${file}`))),
  );
  return tables.flat();
}

async function readTable(init: InitApi, path: string): Promise<string> {
  try {
    const { body } = await init.readFile(path, { limit: LIMIT });
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks).toString('latin1');
  } catch {
    return '';
  }
}

/** Reads the lines of /proc/net/tcp and its like. */
export function parseTable(proto: 'tcp' | 'udp', text: string): HeldPort[] {
  return text.split('\n').flatMap((line) => {
    const [, address = '', port = '', state] =
      /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) /.exec(line) ??
      [];
    if (state !== WAITING[proto]) return [];
    const ipv4 = toIpv4(address);
    return ipv4 === undefined ? [] : [{ proto, address: ipv4, port: Number.parseInt(port, 16) }];
  });
}

/** An address of the table (in the byte order of the machine, word by word) that IPv4 packets reach; undefined for others. */
function toIpv4(hex: string): string | undefined {
  const last = hex.slice(-8);
  const bytes = last.match(/../g)?.reverse().join('') ?? '';
  if (hex.length === 8) return formatAddress(Number.parseInt(bytes, 16));
  if (/^0+$/.test(hex)) return '0.0.0.0';
  // ::ffff:a.b.c.d
  return /^0{16}0000FFFF|^0{16}FFFF0000/.test(hex) ? formatAddress(Number.parseInt(bytes, 16)) : undefined;
}

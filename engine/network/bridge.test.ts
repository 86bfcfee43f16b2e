import { describe, expect, it } from 'vitest';
import { AddressPool, macOf } from './addresses.ts';
import { BridgeNetwork } from './bridge.ts';
import { parseTable } from './host-ports.ts';
import { PortTable, parseBinding, parsePort } from './ports.ts';
import type { NetworkRecord } from './record.ts';
import { renderRuleset } from './ruleset.ts';
import { formatSubnet, freeSubnet, parseSubnet, type Subnet } from './subnet.ts';

function subnet(text: string): Subnet {
  const parsed = parseSubnet(text);
  if (!parsed) throw new Error(`${text} is no subnet`);
  return parsed;
}

const binding = (port: string, HostPort: string, HostIp = '') => parseBinding(port, { HostIp, HostPort });

describe('addresses of the bridge', () => {
  it('hands out the lowest free one after the gateway', () => {
    const pool = new AddressPool(subnet('172.17.0.0/16'), ['172.17.0.1']);
    expect([pool.allocate(), pool.allocate()]).toEqual(['172.17.0.2', '172.17.0.3']);
    pool.release('172.17.0.2');
    expect([pool.allocate(), pool.allocate()]).toEqual(['172.17.0.2', '172.17.0.4']);
  });

  it('keeps what running containers have, and ends at the broadcast address', () => {
    const pool = new AddressPool(subnet('10.0.0.0/30'), ['10.0.0.1']);
    pool.claim('10.0.0.2');
    expect(() => pool.allocate()).toThrow('no available IPv4 addresses');
  });

  it('hands out from a range, or what is wanted if it is free', () => {
    const pool = new AddressPool(subnet('10.0.0.0/24'), ['10.0.0.128'], subnet('10.0.0.128/25'));
    expect(pool.allocate()).toBe('10.0.0.129');
    expect(pool.allocate('10.0.0.7')).toBe('10.0.0.7');
    expect(() => pool.allocate('10.0.0.7')).toThrow('Address already in use');
    expect(() => pool.allocate('10.0.1.7')).toThrow('out of range');
  });

  it('derives MAC addresses as Docker does', () => {
    expect(macOf('172.17.0.16')).toBe('02:42:ac:11:00:10');
  });
});

describe('docker run -p', () => {
  it('parses ports and refuses nonsense', () => {
    expect(parsePort('53/UDP')).toEqual({ proto: 'udp', port: 53 });
    expect(() => parsePort('0/tcp')).toThrow('invalid port');
    expect(() => parsePort('80/foo')).toThrow('invalid proto: foo');
    expect(() => parsePort('80/sctp')).toThrow('not supported yet');
    expect(() => binding('80', '99999')).toThrow('invalid port');
    expect(() => binding('80', '80', 'example.org')).toThrow('invalid IP address');
    expect(() => binding('80', '80', '::1')).toThrow('IPv6');
  });

  it('refuses a port that is taken, on the same or every address, by protocol', () => {
    const table = new PortTable();
    table.allocate([binding('80/tcp', '8080')]);
    expect(() => table.allocate([binding('80/tcp', '8080', '127.0.0.1')])).toThrow(
      'Bind for 127.0.0.1:8080 failed: port is already allocated',
    );
    expect(table.allocate([binding('80/udp', '8080')])[0]?.hostPort).toBe(8080);
    const specific = table.allocate([binding('80/tcp', '90', '127.0.0.1')]);
    expect(table.allocate([binding('80/tcp', '90', '127.0.0.2')])).toHaveLength(1);
    table.release(specific);
    expect(table.allocate([binding('80/tcp', '90', '127.0.0.1')])).toHaveLength(1);
  });

  it('takes all ports or none', () => {
    const table = new PortTable();
    table.allocate([binding('80', '81')]);
    expect(() => table.allocate([binding('80', '82'), binding('80', '81')])).toThrow('already allocated');
    expect(table.allocate([binding('80', '82')])[0]?.hostPort).toBe(82);
  });

  it('chooses from 32768 up, and from a range', () => {
    const table = new PortTable();
    expect(table.allocate([binding('80', ''), binding('81', '')]).map((port) => port.hostPort)).toEqual([
      32768, 32769,
    ]);
    const range = () => table.allocate([binding('80', '100-101')])[0]?.hostPort;
    expect([range(), range()]).toEqual([100, 101]);
    expect(range).toThrow('all ports are allocated');
  });
});

describe('subnets', () => {
  it('are read and written', () => {
    expect(formatSubnet(parseSubnet('10.9.8.7/24') ?? { base: 0, prefix: 0 })).toBe('10.9.8.0/24');
    for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.256/24', '10.0.0/24', 'x', '1.2.3.4./8']) {
      expect(parseSubnet(text), text).toBeUndefined();
    }
  });

  it('are handed out from the default pools in their order, around what is in use', () => {
    const used = ['172.17.0.0/16', '172.19.0.0/24'].flatMap((text) => parseSubnet(text) ?? []);
    expect(formatSubnet(freeSubnet(used))).toBe('172.18.0.0/16');
    const inUse: Subnet[] = [];
    for (let count = 0; count < 31; count++) inUse.push(freeSubnet(inUse));
    expect(inUse.map(formatSubnet)).toContain('172.31.0.0/16');
    expect(formatSubnet(inUse.at(-1) ?? { base: 0, prefix: 0 })).toBe('192.168.240.0/20');
    expect(() => freeSubnet(inUse)).toThrow('all predefined address pools have been fully subnetted');
  });
});

describe('the rules of all bridges', () => {
  const networkOf = (name: string, subnet: string, extra: Partial<NetworkRecord> = {}) =>
    new BridgeNetwork(
      {
        id: name.padEnd(64, '0'),
        name,
        created: '',
        internal: false,
        attachable: false,
        labels: {},
        options: {},
        ipamOptions: {},
        ipam: {},
        hasOwnSubnet: true,
        subnet: `${subnet}.0/24`,
        gateway: `${subnet}.1`,
        range: `${subnet}.0/24`,
        bridge: `br-${name}`,
        ...extra,
      },
      false,
    );

  it('put ports of one address before those of all', () => {
    const network = networkOf('a', '10.0.0');
    const port = { proto: 'tcp', containerPort: 80, hostPort: 8080 } as const;
    network.allocate({ device: 'eth0' }).ports.push({ ...port, hostIp: '0.0.0.0' });
    network.allocate({ device: 'eth0' }).ports.push({ ...port, hostIp: '127.0.0.1' });
    const text = renderRuleset([network]);
    expect(text.split('\n').filter((line) => line.includes('dnat to'))).toEqual([
      '    ip daddr 127.0.0.1 tcp dport 8080 dnat to 10.0.0.3:80',
      '    tcp dport 8080 dnat to 10.0.0.2:80',
    ]);
    expect(text.startsWith('table ip docker-bridges\ndelete table ip docker-bridges\n')).toBe(true);
  });

  it('keep bridges apart, and internal ones from everything', () => {
    const text = renderRuleset([
      networkOf('a', '10.0.0'),
      networkOf('b', '10.0.1', { internal: true }),
      networkOf('c', '10.0.2', { options: { 'com.docker.network.bridge.enable_ip_masquerade': 'false' } }),
    ]);
    expect(text).toContain('oifname { "br-a", "br-b", "br-c" } drop');
    expect(text).toContain('iifname "br-b" ip daddr != 10.0.1.0/24 drop');
    expect(text).toContain('ip saddr 10.0.0.0/24 oifname != "br-a" masquerade');
    expect(text).not.toContain('ip saddr 10.0.1.0/24 oifname != "br-b" masquerade');
    expect(text).not.toContain('ip saddr 10.0.2.0/24 oifname != "br-c" masquerade');
  });

  it('isolate the ports of a bridge where icc is off', () => {
    const closed = networkOf('a', '10.0.0', { options: { 'com.docker.network.bridge.enable_icc': 'false' } });
    const endpoint = closed.allocate({ device: 'eth0' });
    expect(closed.cableLines(endpoint, '/x')).toContain(
      `link set ${endpoint.veth} type bridge_slave isolated on`,
    );
  });
});

describe('ports that programs hold', () => {
  const table = (...lines: string[]) =>
    `  sl  local_address rem_address   st tx_queue\n${lines.join('\n')}\n`;
  it('are those that wait for others, on addresses that IPv4 reaches', () => {
    const text = table(
      '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000',
      '   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000',
      '   2: 0100007F:9C40 0100007F:1F90 01 00000000:00000000 00:00000000',
      '  nonsense',
    );
    expect(parseTable('tcp', text)).toEqual([
      { proto: 'tcp', address: '127.0.0.1', port: 8080 },
      { proto: 'tcp', address: '0.0.0.0', port: 80 },
    ]);
    const six = table(
      '   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00',
      '   1: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 00000000:00000000 00',
      '   2: 0000000000000000FFFF00000100007F:0052 00000000000000000000000000000000:0000 0A 00000000:00000000 00',
    );
    expect(parseTable('tcp', six)).toEqual([
      { proto: 'tcp', address: '0.0.0.0', port: 80 },
      { proto: 'tcp', address: '127.0.0.1', port: 82 },
    ]);
  });
});

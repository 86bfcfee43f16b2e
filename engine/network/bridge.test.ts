import { describe, expect, it } from 'vitest';
import { AddressPool, DEFAULT_SUBNET, macOf } from './addresses.ts';
import { BridgeNetwork } from './bridge.ts';
import { PortTable, parseBinding, parsePort } from './ports.ts';
import { renderRuleset } from './ruleset.ts';

const binding = (port: string, HostPort: string, HostIp = '') => parseBinding(port, { HostIp, HostPort });

describe('addresses of the bridge', () => {
  it('hands out the lowest free one after the gateway', () => {
    const pool = new AddressPool(DEFAULT_SUBNET);
    expect([pool.allocate(), pool.allocate()]).toEqual(['172.17.0.2', '172.17.0.3']);
    pool.release('172.17.0.2');
    expect([pool.allocate(), pool.allocate()]).toEqual(['172.17.0.2', '172.17.0.4']);
  });

  it('keeps what running containers have, and ends at the broadcast address', () => {
    const pool = new AddressPool({ base: '10.0.0.0', prefix: 30, gateway: '10.0.0.1' });
    pool.claim('10.0.0.2');
    expect(() => pool.allocate()).toThrow('no available IPv4 addresses');
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

describe('the table of published ports', () => {
  it('puts rules for one address before those for all', () => {
    const port = { proto: 'tcp', containerPort: 80, hostPort: 8080 } as const;
    const text = renderRuleset('docker0', '172.17.0.0/16', [
      { ...port, hostIp: '0.0.0.0', address: '172.17.0.2' },
      { ...port, hostIp: '127.0.0.1', address: '172.17.0.3' },
    ]);
    const rules = text.split('\n').filter((line) => line.includes('dnat to'));
    expect(rules).toEqual([
      '    ip daddr 127.0.0.1 tcp dport 8080 dnat to 172.17.0.3:80',
      '    tcp dport 8080 dnat to 172.17.0.2:80',
    ]);
    expect(text.startsWith('table ip docker-bridges\ndelete table ip docker-bridges\n')).toBe(true);
  });

  it('names the endpoint when a port is taken, and takes no address then', () => {
    const bridge = new BridgeNetwork('sandbox');
    const first = bridge.connect('web', [binding('80', '8080')]);
    expect(() => bridge.connect('second', [binding('80', '8080')])).toThrow(
      /^driver failed programming external connectivity on endpoint second \([0-9a-f]{64}\): Bind for 0\.0\.0\.0:8080 failed: port is already allocated$/,
    );
    expect(bridge.connect('third', []).address).toBe('172.17.0.3');
    bridge.release(first);
    expect(bridge.connect('fourth', [binding('80', '8080')]).address).toBe('172.17.0.2');
  });
});

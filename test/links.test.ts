// The cables of lab hosts: a private link among those of one group, and the internet, which a test makes for itself.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from './support/docker.ts';
import { engineMissing, TestEngine } from './support/engine.ts';

const why = engineMissing ? ` (${engineMissing})` : '';

/** The trimmed output of a shell script in a lab host; both streams, with the exit code when it is not 0. */
async function sh(engine: TestEngine, host: string, script: string): Promise<string> {
  const { exitCode, stdout, stderr } = await engine.control.run(host, {
    argv: ['sh', '-c', script],
    timeout: 20_000,
  });
  return `${stdout}${stderr}`.trim() + (exitCode === 0 ? '' : ` [${exitCode}]`);
}

async function namespacesUnder(folder: string): Promise<number> {
  const { stdout } = await runCommand(['cat', '/proc/self/mountinfo']);
  return stdout.split('\n').filter((line) => line.includes(folder) && line.includes('nsfs')).length;
}

describe.skipIf(engineMissing)(`lab hosts that belong together${why}`, () => {
  let engine: TestEngine;
  const link = { group: 'pair', hosts: ['node1', 'node2'] };
  beforeAll(async () => {
    engine = await TestEngine.start();
    await Promise.all([
      engine.control.createSandbox({ name: 'a-1', hostname: 'node1', link }),
      engine.control.createSandbox({ name: 'a-2', hostname: 'node2', link }),
      engine.control.createSandbox({
        name: 'b-1',
        hostname: 'node1',
        link: { group: 'other', hosts: ['node1', 'node2'] },
      }),
      engine.control.createSandbox({ name: 'alone' }),
    ]);
  });
  afterAll(() => engine?.dispose());

  it('know and reach each other by name, and have a Docker each', async () => {
    expect(await sh(engine, 'a-1', 'getent hosts node2; ping -qc1 -W2 node2 >/dev/null && echo there')).toBe(
      '10.77.0.2       node2\nthere',
    );
    const [one, two] = await Promise.all([engine.docker('a-1'), engine.docker('a-2')]);
    await two.ok('pull', '-q', 'busybox');
    await two.ok('run', '-d', '--name', 'web', '-p', '8080:80', 'busybox', 'httpd', '-f', '-h', '/etc');
    expect(await sh(engine, 'a-1', 'curl -sS --max-time 5 http://node2:8080/hostname')).toMatch(
      /^[0-9a-f]{12}$/,
    );
    expect(await one.ok('ps', '-q')).toBe('');
  });

  it('are reached by nobody else', async () => {
    expect(await sh(engine, 'b-1', 'ping -qc1 -W1 10.77.0.2 >/dev/null || echo nobody')).toBe('nobody');
    expect(await sh(engine, 'alone', 'ip -br link | grep -c eth; ping -qc1 -W1 10.77.0.2 2>&1')).toMatch(
      /^0\n.*unreachable/i,
    );
  });

  it('are together again after a reset, and after the engine was killed', async () => {
    await engine.end('SIGKILL');
    await engine.up();
    expect(await sh(engine, 'a-2', 'ping -qc1 -W2 node1 >/dev/null && echo there')).toBe('there');
    await engine.control.resetSandbox('a-1');
    expect(await sh(engine, 'a-2', 'ping -qc1 -W2 node1 >/dev/null && echo there')).toBe('there');
    expect(await sh(engine, 'a-1', 'ping -qc1 -W2 node2 >/dev/null && echo there')).toBe('there');
  });

  it('must agree on who they are', async () => {
    const create = (hostname: string, hosts: string[]) =>
      engine.control.createSandbox({ name: 'a-3', hostname, link: { group: 'pair', hosts } });
    await expect(create('node3', ['node1', 'node2'])).rejects.toThrow(/node3 is not among the hosts/);
    await expect(create('node3', ['node1', 'node3'])).rejects.toThrow(/consists of node1, node2/);
    await expect(create('node2', ['node1', 'node2'])).rejects.toThrow(/has a lab host node2 already: a-2/);
    await expect(create('node2', ['node2', 'node2'])).rejects.toThrow(/twice/);
  });

  it('leave nothing on the host when the last has gone', async () => {
    expect(await namespacesUnder(engine.runDir)).toBe(2);
    await engine.control.deleteSandbox('a-1');
    expect(await namespacesUnder(engine.runDir)).toBe(2);
    await engine.control.deleteSandbox('a-2');
    await engine.control.deleteSandbox('b-1');
    expect(await namespacesUnder(engine.runDir)).toBe(0);
  });
});

/** Answers every request with who asks, or for /big with much. */
const WEB_SERVER = `require('node:http').createServer((request, response) =>
  response.end(request.url === '/big' ? Buffer.alloc(64 * 2 ** 20) : 'from ' + request.socket.remoteAddress)).listen(80, '0.0.0.0', () => console.log('ready'))`;

/** A name server that knows one name, by UDP and TCP. */
const NAME_SERVER = `
const answer = (question) => {
  const isKnown = question.includes('shop');
  const head = Buffer.from(question.subarray(0, 12));
  head.writeUInt16BE(isKnown ? 0x8180 : 0x8183, 2);
  head.writeUInt16BE(1, 4); head.writeUInt16BE(isKnown ? 1 : 0, 6); head.writeUInt32BE(0, 8);
  let end = 12; while (question[end] !== 0) end += question[end] + 1;
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 51, 100, 10]);
  return Buffer.concat([head, question.subarray(12, end + 5), ...(isKnown ? [record] : [])]);
};
const udp = require('node:dgram').createSocket('udp4');
udp.on('message', (question, from) => udp.send(answer(question), from.port, from.address));
udp.bind(53, '198.51.100.10', () => require('node:net').createServer((socket) => socket.on('error', () => {}).once('data', (data) => {
  const reply = answer(data.subarray(2));
  socket.end(Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 255]), reply]));
})).listen(53, '198.51.100.10', () => console.log('ready')));
`;

describe.skipIf(engineMissing)(`lab hosts on the internet${why}`, () => {
  let folder: string;
  let engine: TestEngine;
  const servers: ChildProcess[] = [];
  const inside = (name: string) => ['nsenter', `--net=${folder}/${name}`];

  async function command(...argv: string[]): Promise<void> {
    const { code, stderr } = await runCommand(argv);
    if (code !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
  }

  async function serve(namespace: string, script = WEB_SERVER): Promise<void> {
    const [nsenter = '', ...args] = [...inside(namespace), process.execPath, '-e', script];
    const server = spawn(nsenter, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('exit', (code) => reject(new Error(`a server ended with ${code}`)));
      server.stdout?.once('data', () => resolve());
    });
  }

  /** A host with a public address, and beyond its router an internet in which everything has a web server. */
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'berth-net-'));
    for (const name of ['host', 'internet']) {
      await writeFile(`${folder}/${name}`, '');
      await command('unshare', `--net=${folder}/${name}`, 'true');
    }
    await command(
      ...inside('host'),
      'sh',
      '-c',
      `ip link set lo up; nsenter --net=${folder}/internet sh -c '
        ip link set lo up
        for address in 198.51.100.10 192.168.7.7 10.1.2.3 169.254.169.254 100.64.1.1 203.0.114.9; do ip address add $address/32 dev lo; done'`,
    );
    const script = `sleep 30 & holder=$!
      nsenter --net=${folder}/host ip link add wan type veth peer name lan netns $holder
      ip address add 203.0.113.1/24 dev lan; ip link set lan up
      nsenter --net=${folder}/host sh -c 'ip address add 203.0.113.2/24 dev wan; ip link set wan up; ip route add default via 203.0.113.1'
      kill $holder`;
    await command(...inside('internet'), 'sh', '-ec', script);
    await Promise.all([serve('internet'), serve('host'), serve('internet', NAME_SERVER)]);
    engine = await TestEngine.start(
      { BERTH_INTERNET_DENY: '203.0.114.0/24', BERTH_INTERNET_DNS: '198.51.100.10' },
      inside('host'),
    );
    await engine.control.createSandbox({ name: 'offline' });
    await engine.control.createSandbox({ name: 'online', internet: true });
    await engine.control.createSandbox({ name: 'neighbor', internet: true });
  }, 60_000);

  afterAll(async () => {
    await engine?.dispose();
    for (const server of servers) server.kill('SIGKILL');
    for (const name of ['host', 'internet']) await runCommand(['umount', `${folder}/${name}`]);
    await rm(folder, { recursive: true, force: true });
  });

  const fetchFrom = (sandbox: string, address: string) =>
    sh(engine, sandbox, `curl -sS --max-time 3 http://${address}/ 2>&1`);

  it('reach it only when they were made for it, under the name of the host', async () => {
    expect(await fetchFrom('online', '198.51.100.10')).toBe('from 203.0.113.2');
    expect(await fetchFrom('offline', '198.51.100.10')).toMatch(/\[7\]$/);
    expect(await sh(engine, 'online', 'cat /etc/resolv.conf')).toBe('nameserver 198.51.100.10');
  });

  it('reach it from their containers', async () => {
    const docker = await engine.docker('online');
    await docker.ok('pull', '-q', 'busybox');
    expect(await docker.ok('run', '--rm', 'busybox', 'wget', '-qO-', '-T3', 'http://198.51.100.10')).toBe(
      'from 203.0.113.2',
    );
  });

  it('know names beyond, in the lab host, in containers, and behind their own names', async () => {
    const docker = await engine.docker('online');
    await docker.ok('pull', '-q', 'busybox');
    await docker.ok('network', 'create', 'named');
    expect(await sh(engine, 'online', 'curl -sS --max-time 3 http://shop.example/')).toBe('from 203.0.113.2');
    const fetch = ['busybox', 'wget', '-qO-', '-T3', 'http://shop.example/'];
    expect(await docker.ok('run', '--rm', ...fetch)).toBe('from 203.0.113.2');
    expect(await docker.ok('run', '--rm', '--network', 'named', ...fetch)).toBe('from 203.0.113.2');
    const unknown = await docker.run([
      'run',
      '--rm',
      '--network',
      'named',
      'busybox',
      'nslookup',
      'nobody.example',
    ]);
    expect(unknown.stdout).toContain('NXDOMAIN');
    await docker.ok('network', 'create', '--internal', 'closed');
    const closed = await docker.run([
      'run',
      '--rm',
      '--network',
      'closed',
      'busybox',
      'nslookup',
      'shop.example',
    ]);
    expect(closed.stdout + closed.stderr).toContain('SERVFAIL');
  });

  it.each([
    ['a private network', '192.168.7.7'],
    ['another private network', '10.1.2.3'],
    ['the metadata service of a cloud', '169.254.169.254'],
    ['the carrier’s network', '100.64.1.1'],
    ['what the operator denies', '203.0.114.9'],
    ['the host by its public address', '203.0.113.2'],
    ['the host by its side of the router', '10.79.255.1'],
    ['the router', '10.78.0.1'],
  ])('never reach %s', async (_what, address) => {
    expect(await fetchFrom('online', address)).not.toMatch(/^from/);
  });

  it('never reach each other', async () => {
    const address = await sh(
      engine,
      'neighbor',
      "ip -4 -o address show eth0 | awk '{print $4}' | cut -d/ -f1",
    );
    expect(address).toMatch(/^10\.78\.0\.\d+$/);
    const listener = sh(engine, 'neighbor', 'timeout 4 nc -lp 80 </dev/null; true');
    await sleep(300);
    expect(await fetchFrom('online', address)).not.toMatch(/^from/);
    await listener;
  });

  it('cannot send under another address', async () => {
    const script =
      'ip address add 10.78.0.99/32 dev lo; curl -sS --interface 10.78.0.99 --max-time 2 http://198.51.100.10/ 2>&1';
    expect(await sh(engine, 'online', script)).toMatch(/\[28\]$/);
  });

  it('get no more than their share', async () => {
    const bytes = Number(
      await sh(
        engine,
        'online',
        'curl -s --max-time 3 -o /dev/null -w "%{size_download}" http://198.51.100.10/big; true',
      ),
    );
    expect(bytes).toBeGreaterThan(100_000);
    expect(bytes).toBeLessThan(8 * 2 ** 20);
  });

  it('keep it over a restart of the engine; the router goes with the last', async () => {
    await engine.end('SIGKILL');
    await engine.up();
    expect(await fetchFrom('online', '198.51.100.10')).toBe('from 203.0.113.2');
    await engine.control.resetSandbox('online');
    expect(await fetchFrom('online', '198.51.100.10')).toBe('from 203.0.113.2');
    await engine.control.deleteSandbox('online');
    await engine.control.deleteSandbox('neighbor');
    expect(await namespacesUnder(engine.runDir)).toBe(0);
    const rules = await runCommand([...inside('host'), 'nft', 'list', 'ruleset']);
    expect(rules.stdout.trim()).toBe('');
  });

  it('do without where the operator says so', async () => {
    const strict = await TestEngine.start({ BERTH_INTERNET: 'never' });
    try {
      await expect(strict.control.createSandbox({ name: 'x', internet: true })).rejects.toThrow(
        /BERTH_INTERNET=never/,
      );
    } finally {
      await strict.dispose();
    }
  });
});

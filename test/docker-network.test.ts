// User-defined networks, names and links, by the real CLI, on Berth and a real dockerd.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DockerCli } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const TIMEOUT = 60_000;

describe.skipIf(engineMissing).each(dockerTargets('network'))(
  `docker network on $title${engineMissing ? ` (${engineMissing})` : ''}`,
  (target) => {
    let docker: DockerCli;
    const made: { containers: string[]; networks: string[] } = { containers: [], networks: [] };
    beforeAll(async () => {
      docker = await target.open();
    }, TIMEOUT);
    afterAll(async () => {
      await docker?.run(['rm', '-f', ...made.containers]);
      await docker?.run(['network', 'rm', ...made.networks]);
      await target.close();
    }, TIMEOUT);

    /** What looks into containers by exec; a dockerd that runs in a namespace of its own may not be able to. */
    const inside = it.runIf(target.isBerth);

    const unique = (prefix: string) => `${prefix}${randomBytes(3).toString('hex')}`;

    async function network(...options: string[]): Promise<string> {
      const name = unique('net');
      made.networks.push(name);
      await docker.ok('network', 'create', ...options, name);
      return name;
    }

    /** A busybox that sleeps; gives its name. */
    async function container(...options: string[]): Promise<string> {
      const name = unique('c');
      made.containers.push(name);
      await docker.ok('run', '-d', '--name', name, ...options, 'busybox', 'sleep', '600');
      return name;
    }

    const inspect = async (name: string, format: string) => docker.ok('inspect', '-f', format, name);
    /** An octet that no other test on a shared daemon is likely to use. */
    const octet = () => 1 + ((randomBytes(1)[0] ?? 0) % 250);
    const refusal = async (...args: string[]) => {
      const { code, stderr } = await docker.run(args);
      expect(code, args.join(' ')).not.toBe(0);
      return stderr.trim();
    };

    it('makes a bridge with a subnet of its own, and takes it away again', { timeout: TIMEOUT }, async () => {
      const name = await network('--label', 'for=test');
      const [described] = JSON.parse(await docker.ok('network', 'inspect', name));
      expect(described).toMatchObject({
        Name: name,
        Driver: 'bridge',
        Scope: 'local',
        Internal: false,
        Labels: { for: 'test' },
        Containers: {},
        IPAM: { Driver: 'default', Config: [{ Subnet: expect.stringMatching(/^(172|192)\./) }] },
      });
      expect(await docker.ok('network', 'ls', '-q', '--no-trunc', '--filter', `name=${name}`)).toBe(
        described.Id,
      );
      expect(
        await docker.ok('network', 'ls', '-q', '--filter', 'label=for=test', '--filter', `name=${name}`),
      ).toBe(described.Id.slice(0, 12));
      expect(await docker.ok('network', 'rm', described.Id.slice(0, 10))).toBe(described.Id.slice(0, 10));
      expect(await refusal('network', 'inspect', name)).toContain(`network ${name} not found`);
    });

    it('refuses what cannot be, in the same words', { timeout: TIMEOUT }, async () => {
      const name = await network();
      expect(await refusal('network', 'create', name)).toBe(
        `Error response from daemon: network with name ${name} already exists`,
      );
      expect(await refusal('network', 'create', 'bridge')).toContain(
        'operation is not permitted on predefined bridge network',
      );
      expect(await refusal('network', 'rm', 'host')).toContain(
        'host is a pre-defined network and cannot be removed',
      );
      expect(await refusal('network', 'create', '-d', 'nosuch', unique('x'))).toContain(
        'plugin "nosuch" not found',
      );
      expect(await refusal('network', 'create', '--subnet', '10.9.8.7/24', unique('x'))).toContain(
        'invalid subnet 10.9.8.7/24: it should be 10.9.8.0/24',
      );
      expect(await refusal('network', 'create', '-d', 'overlay', unique('x'))).toContain(
        'This node is not a swarm manager.',
      );
      expect(await refusal('run', '--rm', '--network', 'nosuch', 'busybox', 'true')).toContain(
        'network nosuch not found',
      );
      expect(
        await refusal('run', '--rm', '--network', name, '--ip', '172.30.0.9', 'busybox', 'true'),
      ).toContain(
        'user specified IP address is supported only when connecting to networks with user configured subnets',
      );
    });

    inside(
      'knows containers by name, alias and id, and addresses by name',
      { timeout: TIMEOUT },
      async () => {
        const name = await network();
        const web = await container('--network', name, '--network-alias', 'shop', '--hostname', 'store');
        const client = await container('--network', name);
        const id = (await inspect(web, '{{.Id}}')).slice(0, 12);
        const address = await inspect(web, `{{(index .NetworkSettings.Networks "${name}").IPAddress}}`);
        for (const each of [web, 'shop', id, 'SHOP', `${web}.${name}`]) {
          const output = await docker.ok('exec', client, 'ping', '-c1', '-W2', each);
          expect(output, each).toContain(`(${address})`);
        }
        const reverse = await docker.ok('exec', client, 'nslookup', address);
        expect(reverse).toContain(`name = ${web}.${name}`);
        expect(await inspect(web, `{{json (index .NetworkSettings.Networks "${name}").DNSNames}}`)).toBe(
          JSON.stringify([web, 'shop', id, 'store']),
        );
        expect((await docker.run(['exec', client, 'nslookup', 'nosuchname'])).code).not.toBe(0);
        expect(await docker.ok('exec', client, 'cat', '/etc/resolv.conf')).toContain('nameserver 127.0.0.11');
        expect(await inspect(web, '{{json .NetworkSettings.IPAddress}}')).toBe('""');
      },
    );

    inside('gives every container of an alias, in turns', { timeout: TIMEOUT }, async () => {
      const name = await network();
      const workers = await Promise.all(
        [1, 2, 3].map(() => container('--network', name, '--network-alias', 'worker')),
      );
      const client = await container('--network', name);
      const output = await docker.ok('exec', client, 'nslookup', '-type=a', 'worker');
      for (const worker of workers) {
        expect(output).toContain(
          await inspect(worker, `{{(index .NetworkSettings.Networks "${name}").IPAddress}}`),
        );
      }
    });

    inside('answers many questions at the same time', { timeout: TIMEOUT }, async () => {
      const name = await network();
      const web = await container('--network', name);
      const client = await container('--network', name);
      const script = `for i in $(seq 60); do nslookup -type=a ${web} >/tmp/$i 2>&1 & done; wait; grep -l "Name:" /tmp/* | wc -l`;
      expect(await docker.ok('exec', client, 'sh', '-c', script)).toBe('60');
    });

    inside('keeps networks apart', { timeout: TIMEOUT }, async () => {
      const [front, back] = [await network(), await network()];
      const one = await container('--network', front);
      const other = await container('--network', back);
      const address = await inspect(other, `{{(index .NetworkSettings.Networks "${back}").IPAddress}}`);
      expect((await docker.run(['exec', one, 'ping', '-c1', '-W1', address])).code).toBe(1);
      expect((await docker.run(['exec', one, 'ping', '-c1', '-W1', other])).code).not.toBe(0);
      await docker.ok('network', 'connect', front, other);
      expect((await docker.run(['exec', one, 'ping', '-c1', '-W2', other])).code).toBe(0);
      await docker.ok('network', 'disconnect', front, other);
      expect((await docker.run(['exec', one, 'ping', '-c1', '-W1', other])).code).not.toBe(0);
    });

    inside(
      'connects a container that runs, at an address of choice, and one that does not',
      {
        timeout: TIMEOUT,
      },
      async () => {
        const subnet = `10.${octet()}.${octet()}`;
        const name = await network('--subnet', `${subnet}.0/24`, '--gateway', `${subnet}.254`);
        const first = await network();
        const runs = await container('--network', first);
        await docker.ok('network', 'connect', '--ip', `${subnet}.7`, '--alias', 'seven', name, runs);
        expect(await refusal('network', 'connect', name, runs)).toContain(
          `endpoint with name ${runs} already exists in network ${name}`,
        );
        expect(await inspect(runs, `{{json (index .NetworkSettings.Networks "${name}").IPAMConfig}}`)).toBe(
          `{"IPv4Address":"${subnet}.7"}`,
        );
        expect(await docker.ok('exec', runs, 'ip', '-4', 'address', 'show', 'eth1')).toContain(
          `${subnet}.7/24`,
        );
        const stopped = unique('c');
        made.containers.push(stopped);
        await docker.ok(
          'create',
          '--name',
          stopped,
          '--network',
          name,
          '--ip',
          `${subnet}.9`,
          'busybox',
          'ping',
          '-c1',
          'seven',
        );
        await docker.ok('network', 'connect', first, stopped);
        expect(await docker.ok('start', '-a', stopped)).toContain(`PING seven (${subnet}.7)`);
        expect(await docker.ok('network', 'inspect', '-f', '{{len .Containers}}', name)).toBe('1');
        await docker.ok('network', 'disconnect', name, runs);
        expect(await refusal('network', 'disconnect', name, runs)).toMatch(
          new RegExp(`container [0-9a-f]{64} is not connected to network ${name}`),
        );
        await docker.ok('network', 'connect', '--ip', `${subnet}.7`, name, runs);
        expect(await refusal('network', 'rm', name)).toMatch(/has active endpoints/);
        expect(
          await refusal('run', '--rm', '--network', name, '--ip', `${subnet}.7`, 'busybox', 'true'),
        ).toContain('Address already in use');
      },
    );

    inside('has containers on several networks from the start', { timeout: TIMEOUT }, async () => {
      const [front, back] = [await network(), await network()];
      const name = await container('--network', front, '--network', `name=${back},alias=behind`);
      expect(JSON.parse(await inspect(name, '{{json .NetworkSettings.Networks}}'))).toMatchObject({
        [front]: { IPAddress: expect.stringMatching(/\d/) },
        [back]: { Aliases: ['behind'] },
      });
      const client = await container('--network', back);
      expect((await docker.run(['exec', client, 'ping', '-c1', '-W2', 'behind'])).code).toBe(0);
      await docker.ok('restart', '-t', '0', name);
      expect((await docker.run(['exec', client, 'ping', '-c1', '-W2', 'behind'])).code).toBe(0);
    });

    inside('lets nothing out of an internal network', { timeout: TIMEOUT }, async () => {
      const name = await network('--internal');
      const [one, other] = [await container('--network', name), await container('--network', name)];
      expect((await docker.run(['exec', one, 'ping', '-c1', '-W2', other])).code).toBe(0);
      expect(await docker.ok('exec', one, 'ip', 'route')).not.toContain('default');
    });

    it('removes what nobody is on', { timeout: TIMEOUT }, async () => {
      const label = unique('prune');
      const [unused, used] = [await network('--label', label), await network('--label', label)];
      await container('--network', used);
      expect(await docker.ok('network', 'prune', '-f', '--filter', `label=${label}`)).toBe(
        `Deleted Networks:\n${unused}`,
      );
      expect(await docker.ok('network', 'ls', '--format', '{{.Name}}', '--filter', `label=${label}`)).toBe(
        used,
      );
      expect(await docker.ok('network', 'ls', '--format', '{{.Name}}', '--filter', 'type=builtin')).toBe(
        'bridge\nhost\nnone',
      );
    });

    it('tells of networks', { timeout: TIMEOUT }, async () => {
      const since = String(Date.now() / 1000);
      const name = await network();
      const member = await container('--network', name);
      await docker.ok('network', 'disconnect', name, member);
      await docker.ok('rm', '-f', member);
      await docker.ok('network', 'rm', name);
      const until = String(Date.now() / 1000 + 1);
      const events = await docker.ok(
        ...['events', '--since', since, '--until', until, '--filter', 'type=network'],
        ...['--format', '{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}}'],
      );
      const ours = events.split('\n').filter((line) => line.includes(name));
      expect([...new Set(ours)]).toEqual(
        ['create', 'connect', 'disconnect', 'destroy'].map((action) => `${action} ${name} bridge`),
      );
    });

    it('links containers of the default bridge as it used to be done', { timeout: TIMEOUT }, async () => {
      const db = unique('db');
      const web = unique('web');
      made.containers.push(db, web);
      await docker.ok(
        'run',
        '-d',
        '--name',
        db,
        '-e',
        'MODE=fast',
        '--expose',
        '5432',
        'busybox',
        'sleep',
        '600',
      );
      const address = await inspect(db, '{{.NetworkSettings.IPAddress}}');
      const id = (await inspect(db, '{{.Id}}')).slice(0, 12);
      const output = await docker.ok(
        'run',
        '--rm',
        '--name',
        web,
        '--link',
        `${db}:store`,
        'busybox',
        'sh',
        '-c',
        'env | sort; cat /etc/hosts',
      );
      for (const line of [
        `STORE_PORT=tcp://${address}:5432`,
        `STORE_PORT_5432_TCP_ADDR=${address}`,
        'STORE_PORT_5432_TCP_PROTO=tcp',
        `STORE_NAME=/${web}/store`,
        'STORE_ENV_MODE=fast',
        `${address}\tstore ${id} ${db}`,
      ]) {
        expect(output.split('\n'), line).toContain(line);
      }
      await docker.ok('run', '-d', '--name', web, '--link', db, 'busybox', 'sleep', '600');
      expect(await inspect(web, '{{json .HostConfig.Links}}')).toBe(`["/${db}:/${web}/${db}"]`);
      expect(await docker.ok('ps', '--no-trunc', '--format', '{{.Names}}', '--filter', `name=${db}`)).toBe(
        `${db},${web}/${db}`,
      );
      expect(await docker.ok('rm', '--link', `${web}/${db}`)).toBe(`${web}/${db}`);
      expect(await inspect(web, '{{json .HostConfig.Links}}')).toBe('null');
      expect(await refusal('run', '--rm', '--link', 'nosuch:x', 'busybox', 'true')).toContain(
        'could not get container for nosuch: No such container: nosuch',
      );
      await docker.ok('stop', '-t', '0', db);
      expect(await refusal('run', '--rm', '--link', `${db}:x`, 'busybox', 'true')).toMatch(
        new RegExp(`Cannot link to a non running container: /${db} AS /\\w+/x`),
      );
    });

    it.runIf(target.isBerth)('publishes ports of any network', { timeout: TIMEOUT }, async () => {
      const { control } = target.engine();
      const name = await network();
      await container('--network', name, '-p', '8085:80');
      const server = unique('c');
      made.containers.push(server);
      const serve = ['busybox', 'sh', '-c', 'echo hello >/index.html; httpd -f -h /'];
      await docker.ok(
        'run',
        '-d',
        '--name',
        server,
        '--network',
        name,
        '-p',
        '8086:80',
        '-p',
        '127.0.0.2:9000:80',
        ...serve,
      );
      const curl = async (url: string) =>
        (await control.run('network', { argv: ['curl', '-sS', '--max-time', '3', url] })).stdout.trim();
      expect(await curl('http://localhost:8086')).toBe('hello');
      expect(await curl('http://127.0.0.2:9000')).toBe('hello');
      // from another network, by the lab host's address
      const other = await container();
      expect(await docker.ok('exec', other, 'wget', '-qO-', '-T3', 'http://172.17.0.1:8086')).toBe('hello');
      const rules = (await control.run('network', { argv: ['nft', 'list', 'ruleset'] })).stdout;
      expect(rules).toContain('tcp dport 8086 dnat to');
    });

    it.runIf(target.isBerth)(
      'keeps containers from each other with icc off',
      { timeout: TIMEOUT },
      async () => {
        const name = await network('-o', 'com.docker.network.bridge.enable_icc=false');
        const [one, other] = [await container('--network', name), await container('--network', name)];
        expect((await docker.run(['exec', one, 'ping', '-c1', '-W1', other])).code).toBe(1);
      },
    );

    it.runIf(target.isBerth)('is the same after the engine was killed', { timeout: TIMEOUT }, async () => {
      const engine = target.engine();
      const subnet = `10.${octet()}.${octet()}`;
      const name = await network('--subnet', `${subnet}.0/24`);
      const [one, other] = [
        await container('--network', name),
        await container('--network', name, '-p', '8099:99'),
      ];
      const before = await docker.ok('network', 'inspect', name);
      await engine.end('SIGKILL');
      await engine.up();
      expect(await docker.ok('network', 'inspect', name)).toBe(before);
      expect((await docker.run(['exec', one, 'ping', '-c1', '-W2', other])).code).toBe(0);
      expect(await refusal('run', '--rm', '-p', '8099:1', 'busybox', 'true')).toContain(
        'port is already allocated',
      );
      const third = await container('--network', name);
      expect((await docker.run(['exec', third, 'ping', '-c1', '-W2', one])).code).toBe(0);
    });

    it.runIf(target.isBerth)(
      'loses nothing when the engine is killed while it connects',
      { timeout: TIMEOUT },
      async () => {
        const engine = target.engine();
        const name = await network();
        const member = await container();
        for (let round = 0; round < 4; round++) {
          const verb = round % 2 === 0 ? 'connect' : 'disconnect';
          const change = docker.run(['network', verb, name, member]);
          await new Promise((resolve) => setTimeout(resolve, 3 + round * 9));
          await engine.end('SIGKILL');
          await change;
          await engine.up();
          const isOn = (await inspect(member, '{{json .NetworkSettings.Networks}}')).includes(name);
          const listed = await docker.ok('network', 'inspect', '-f', '{{len .Containers}}', name);
          expect(listed).toBe(isOn ? '1' : '0');
        }
        await docker.run(['network', 'disconnect', name, member]);
        await docker.ok('network', 'connect', name, member);
        expect((await docker.run(['exec', member, 'nslookup', '-type=a', member])).code).toBe(0);
      },
    );
  },
);

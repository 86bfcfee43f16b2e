// docker push, pull, login and search by the real CLI, with a real registry in a container of the lab host.

import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DockerCli } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { HTPASSWD, importRegistry, registryMissing, untilAnswering } from './support/registry.ts';
import { dockerTargets } from './support/targets.ts';

const missing = engineMissing ?? registryMissing;
const unique = (prefix: string) => `${prefix}-${randomBytes(4).toString('hex')}`;
const AUTH_CONFIG = `version: 0.1
log: {level: error}
storage:
  filesystem: {rootdirectory: /var/lib/registry}
http: {addr: ':5000'}
auth: {htpasswd: {realm: basic-realm, path: /htpasswd}}
`;

describe.skipIf(missing).each(dockerTargets('registry'))(
  `$title: registries${missing ? ` (${missing})` : ''}`,
  (target) => {
    let docker: DockerCli;
    let registry: string;
    let guarded: string;
    let work: string;
    const image = unique('registry');
    const containers: string[] = [];

    beforeAll(async () => {
      work = await mkdtemp(path.join(os.tmpdir(), 'berth-push-'));
      docker = await target.open();
      await importRegistry(docker, image, { '/htpasswd': HTPASSWD, '/etc/guarded.yml': AUTH_CONFIG });
      const port = 20_000 + randomInt(20_000);
      registry = `localhost:${port}`;
      guarded = `localhost:${port + 1}`;
      containers.push(await docker.ok('run', '-d', '-p', `${port}:5000`, image));
      containers.push(
        await docker.ok('run', '-d', '-p', `${port + 1}:5000`, image, 'serve', '/etc/guarded.yml'),
      );
      await untilAnswering(docker, registry);
      await untilAnswering(docker, guarded);
    });
    afterAll(async () => {
      await docker.run(['rm', '-f', ...containers]);
      await docker.run(['rmi', '-f', image]);
      await target.close();
      await rm(work, { recursive: true, force: true });
    });

    async function made(name: string): Promise<string> {
      const container = await docker.ok(
        'run',
        '-d',
        'busybox',
        'sh',
        '-c',
        `echo ${unique('x')} > /unique; rm /etc/group`,
      );
      await docker.ok('wait', container);
      const id = await docker.ok('commit', '-c', 'CMD ["cat", "/unique"]', container, name);
      await docker.ok('rm', container);
      return id;
    }
    const digestOf = (text: string) => /digest: (sha256:[0-9a-f]{64}) size: \d+/.exec(text)?.[1] ?? 'none';

    it('pushes an image and pulls the same one, by tag and by digest', async () => {
      const name = `${registry}/${unique('web')}`;
      const id = await made(`${name}:v1`);
      const pushed = await docker.ok('push', `${name}:v1`);
      expect(pushed).toContain(`The push refers to repository [${name}]`);
      expect(pushed.match(/: Pushed$/gm)).toHaveLength(2);
      const digest = digestOf(pushed);
      expect(await docker.ok('inspect', '-f', '{{.RepoDigests}}', `${name}:v1`)).toContain(
        `${name}@${digest}`,
      );
      const content = await docker.ok('run', '--rm', `${name}:v1`);
      await docker.ok('rmi', `${name}:v1`);
      const pulled = await docker.ok('pull', `${name}:v1`);
      expect(pulled).toContain(`v1: Pulling from ${name.split('/')[1]}`);
      expect(pulled).toMatch(
        /: Already exists[\s\S]*: Pulling fs layer[\s\S]*: Download complete[\s\S]*: Pull complete/,
      );
      expect(pulled).toContain(
        `Digest: ${digest}\nStatus: Downloaded newer image for ${name}:v1\n${name}:v1`,
      );
      expect(await docker.ok('inspect', '-f', '{{.Id}}', `${name}:v1`)).toBe(id);
      expect(await docker.ok('run', '--rm', `${name}:v1`)).toBe(content);
      expect((await docker.run(['run', '--rm', `${name}:v1`, 'ls', '/etc/group'])).code).toBe(1);
      expect(await docker.ok('pull', `${name}:v1`)).toContain(`Status: Image is up to date for ${name}:v1`);
      await docker.ok('rmi', `${name}:v1`);
      expect(await docker.ok('pull', `${name}@${digest}`)).toContain(
        `Status: Downloaded newer image for ${name}@${digest}`,
      );
      expect(
        await docker.ok('images', '--digests', '--format', '{{.Repository}} {{.Tag}} {{.Digest}}', name),
      ).toBe(`${name} <none> ${digest}`);
      await docker.ok('rmi', `${name}@${digest}`);
    });

    it('does not send what the registry has, and mounts it from another repository', async () => {
      const name = `${registry}/${unique('one')}`;
      await made(`${name}:v1`);
      await docker.ok('push', '-q', `${name}:v1`);
      const again = await docker.ok('push', `${name}:v1`);
      expect(again.match(/: Layer already exists$/gm)).toHaveLength(2);
      const other = `${registry}/${unique('two')}`;
      await docker.ok('tag', `${name}:v1`, `${other}:v2`);
      const mounted = await docker.ok('push', `${other}:v2`);
      expect(mounted).toContain(`Mounted from ${name.split('/')[1]}`);
      expect(digestOf(mounted)).toBe(digestOf(again));
      await docker.ok('rmi', `${name}:v1`, `${other}:v2`);
    });

    it('pushes and pulls every tag with -a', async () => {
      const name = `${registry}/${unique('all')}`;
      await made(`${name}:a`);
      await made(`${name}:b`);
      const pushed = await docker.ok('push', '-a', name);
      expect(pushed).toMatch(/^a: digest: [\s\S]*^b: digest: /m);
      await docker.ok('rmi', `${name}:a`, `${name}:b`);
      expect(await docker.ok('pull', '-a', name)).toContain(`Status: Downloaded newer image for ${name}`);
      expect((await docker.ok('images', '--format', '{{.Tag}}', name)).split('\n').sort()).toEqual([
        'a',
        'b',
      ]);
      await docker.ok('rmi', `${name}:a`, `${name}:b`);
    });

    it('says what is wrong', async () => {
      const errors = async (...args: string[]) => {
        const result = await docker.run(args);
        expect(result.code).toBe(1);
        return result.stderr.trim().replace(/^Error response from daemon: /, '');
      };
      const none = `${registry}/${unique('none')}`;
      expect(await errors('pull', `${none}:v1`)).toBe(
        `manifest for ${none}:v1 not found: manifest unknown: manifest unknown`,
      );
      expect(await errors('push', `${none}:v1`)).toBe(
        `An image does not exist locally with the tag: ${none}`,
      );
      expect(await errors('pull', 'localhost:1/x:v1')).toMatch(
        /^Get "http:\/\/localhost:1\/v2\/": dial tcp .*:1: connect: connection refused$/,
      );
      expect(await errors('search', `${registry}/x`)).toBe('Unexpected status code 404');
    });

    it('logs in, and out', async () => {
      const env = { DOCKER_CONFIG: await mkdtemp(path.join(work, 'config-')) };
      const name = `${guarded}/${unique('secret')}:v1`;
      await made(name);
      expect((await docker.run(['push', name], { env })).stderr).toContain('no basic auth credentials');
      expect((await docker.run(['pull', name], { env })).stderr).toMatch(
        /Head ".*": no basic auth credentials/,
      );
      const wrong = await docker.run(['login', '-u', 'ada', '-p', 'wrong', guarded], { env });
      expect(wrong.stderr).toContain(
        `login attempt to http://${guarded}/v2/ failed with status: 401 Unauthorized`,
      );
      const right = await docker.run(['login', '-u', 'ada', '--password-stdin', guarded], {
        env,
        stdin: 'secret',
      });
      expect(right.stdout).toContain('Login Succeeded');
      expect((await docker.run(['push', name], { env })).stdout).toContain('v1: digest: ');
      await docker.ok('rmi', name);
      expect((await docker.run(['pull', '-q', name], { env })).stdout).toBe(`${name}\n`);
      await docker.run(['logout', guarded], { env });
      await docker.ok('rmi', name);
      expect((await docker.run(['pull', name], { env })).code).toBe(1);
    });

    it.skipIf(!target.isBerth)(
      'trusts a certificate that the lab host was told of, and no other',
      async () => {
        const port = 20_000 + randomInt(20_000);
        // not an address of loopback, where any certificate does
        const script = `set -e
      mkdir -p /tls /etc/docker/certs.d/lab.example:${port}
      openssl req -x509 -newkey rsa:2048 -nodes -keyout /tls/key.pem -out /tls/cert.pem -days 2 \\
        -subj /CN=lab.example -addext subjectAltName=DNS:lab.example 2>/dev/null
      echo "127.0.0.1 lab.example" >> /etc/hosts`;
        const sandbox = target.engine().control;
        expect(await sandbox.run('registry', { argv: ['sh', '-c', script] })).toMatchObject({ exitCode: 0 });
        containers.push(
          await docker.ok(
            ...['run', '-d', '-p', `${port}:5000`, '-v', '/tls:/tls'],
            ...[
              '-e',
              'REGISTRY_HTTP_TLS_CERTIFICATE=/tls/cert.pem',
              '-e',
              'REGISTRY_HTTP_TLS_KEY=/tls/key.pem',
              image,
            ],
          ),
        );
        await untilAnswering(docker, `localhost:${port}`);
        const name = `lab.example:${port}/${unique('tls')}:v1`;
        await made(name);
        expect((await docker.run(['push', name])).stderr).toContain(
          'certificate signed by unknown authority',
        );
        const trust = `cp /tls/cert.pem /etc/docker/certs.d/lab.example:${port}/ca.crt`;
        await sandbox.run('registry', { argv: ['sh', '-c', trust] });
        expect(await docker.ok('push', name)).toContain('v1: digest: ');
        await docker.ok('rmi', name);
        expect(await docker.ok('pull', '-q', name)).toBe(name);
        await docker.ok('rmi', name);
      },
    );
  },
);

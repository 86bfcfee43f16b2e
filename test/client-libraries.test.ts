// Client libraries as programs use them, unmodified: testcontainers on Berth; dockerode on Berth and, where BERTH_PEER names
// its socket, on a real dockerd. Published ports are inside the lab host, so that what waits for one from outside cannot be here.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const unique = (prefix: string) => `${prefix}-${randomBytes(4).toString('hex')}`;

describe.skipIf(engineMissing).each(dockerTargets('dockerode'))(
  `dockerode on $title${engineMissing ? ` (${engineMissing})` : ''}`,
  (target) => {
    let docker: Docker;
    beforeAll(async () => {
      docker = new Docker({ socketPath: (await target.open()).socket });
    });
    afterAll(async () => {
      await target.close();
    });

    it('asks who is there', async () => {
      expect(String(await docker.ping())).toBe('OK');
      expect((await docker.version()).ApiVersion).toMatch(/^1\.\d+$/);
      expect((await docker.info()).OSType).toBe('linux');
      expect((await docker.listImages()).flatMap((image) => image.RepoTags ?? [])).toContain(
        'busybox:latest',
      );
    });

    it('runs a command, with its output apart and its exit code', async () => {
      const [out, err] = [new PassThrough(), new PassThrough()];
      const [stdout, stderr] = [text(out), text(err)];
      const result = await docker.run('busybox', ['sh', '-c', 'echo out; echo err >&2; exit 3'], [out, err], {
        Tty: false,
      });
      out.end();
      err.end();
      expect(await stdout).toBe('out\n');
      expect(await stderr).toBe('err\n');
      expect(result[0]).toMatchObject({ StatusCode: 3 });
      await result[1].remove();
    });

    it('leads a container through its life', async () => {
      const name = unique('dockerode');
      const container = await docker.createContainer({ name, Image: 'busybox', Cmd: ['sleep', '600'] });
      await container.start();
      await expect(container.start()).rejects.toMatchObject({ statusCode: 304 });
      expect((await container.inspect()).State.Running).toBe(true);
      expect((await docker.listContainers({ filters: { name: [name] } })).map(({ State }) => State)).toEqual([
        'running',
      ]);
      await container.pause();
      expect((await container.inspect()).State.Paused).toBe(true);
      await container.unpause();
      expect((await container.top()).Titles).toContain('PID');
      const waiting = container.wait();
      await container.kill({ signal: 'SIGKILL' });
      expect(await waiting).toMatchObject({ StatusCode: 137 });
      await container.remove();
      await expect(container.inspect()).rejects.toMatchObject({ statusCode: 404 });
    });

    it('attaches with input, and execs with a stream', async () => {
      const container = await docker.createContainer({
        Image: 'busybox',
        Cmd: ['cat'],
        OpenStdin: true,
        StdinOnce: true,
        AttachStdin: true,
      });
      const stream = await container.attach({ stream: true, stdin: true, stdout: true, hijack: true });
      const out = new PassThrough();
      container.modem.demuxStream(stream, out, out);
      stream.once('end', () => out.end());
      await container.start();
      const exec = await container.exec({
        Cmd: ['sh', '-c', 'cat; exit 4'],
        AttachStdin: true,
        AttachStdout: true,
      });
      const session = await exec.start({ hijack: true, stdin: true });
      const said = new PassThrough();
      container.modem.demuxStream(session, said, said);
      session.once('end', () => said.end());
      session.write('through exec');
      session.end();
      expect(await text(said)).toBe('through exec');
      expect(await exec.inspect()).toMatchObject({ Running: false, ExitCode: 4 });
      stream.write('through attach');
      stream.end();
      expect(await text(out)).toBe('through attach');
      expect(await container.wait()).toMatchObject({ StatusCode: 0 });
      await container.remove();
    });

    it('follows logs and events', async () => {
      const name = unique('dockerode');
      const events = await docker.getEvents({ filters: { container: [name] } });
      const actions: string[] = [];
      events.on('data', (chunk: Buffer) => {
        for (const line of chunk.toString().trim().split('\n')) actions.push(JSON.parse(line).Action);
      });
      const container = await docker.createContainer({
        name,
        Image: 'busybox',
        Cmd: ['sh', '-c', 'for i in 1 2 3; do echo $i; sleep 0.1; done'],
      });
      await container.start();
      const logs = await container.logs({ follow: true, stdout: true, stderr: true });
      const out = new PassThrough();
      container.modem.demuxStream(logs, out, out);
      logs.once('end', () => out.end());
      expect(await text(out)).toBe('1\n2\n3\n');
      await container.wait();
      await container.remove();
      await expect.poll(() => actions).toEqual(['create', 'start', 'die', 'destroy']);
      events.removeAllListeners();
      if ('destroy' in events && typeof events.destroy === 'function') events.destroy();
    });
  },
);

// It remembers the first daemon that it found, so that there can be only one.
describe.skipIf(engineMissing).each(dockerTargets('testcontainers').slice(0, 1))(
  `testcontainers on $title${engineMissing ? ` (${engineMissing})` : ''}`,
  (target) => {
    let library: typeof import('testcontainers');
    beforeAll(async () => {
      const { socket } = await target.open();
      vi.stubEnv('DOCKER_HOST', `unix://${socket}`);
      vi.stubEnv('TESTCONTAINERS_RYUK_DISABLED', 'true');
      library = await import('testcontainers');
    });
    afterAll(async () => {
      vi.unstubAllEnvs();
      await target.close();
    });

    it('waits for a line of the log, runs commands and stops', async () => {
      const { GenericContainer, Wait } = library;
      const container = await new GenericContainer('busybox')
        .withCommand(['sh', '-c', 'sleep 0.3; echo "ready at last"; sleep 600'])
        .withEnvironment({ GREETING: 'hi' })
        .withLabels({ subject: 'testcontainers' })
        .withWaitStrategy(Wait.forLogMessage(/ready at last/))
        .start();
      const result = await container.exec(['sh', '-c', 'echo $GREETING; echo no >&2; exit 5']);
      expect(result).toMatchObject({ exitCode: 5, stdout: 'hi\n', stderr: 'no\n' });
      const logs = await container.logs({ tail: 1 });
      expect(String((await once(logs, 'data'))[0])).toContain('ready at last');
      logs.destroy();
      await container.restart({ timeout: 1 });
      await container.stop({ timeout: 1 });
    });

    it('waits for health and for a command', async () => {
      const { GenericContainer, Wait } = library;
      const container = await new GenericContainer('busybox')
        .withCommand(['sh', '-c', 'sleep 0.5; touch /ready; sleep 600'])
        .withHealthCheck({
          test: ['CMD-SHELL', 'true'],
          interval: 250,
          timeout: 3000,
          retries: 100,
        })
        .withWaitStrategy(Wait.forAll([Wait.forHealthCheck(), Wait.forSuccessfulCommand('true')]))
        .start();
      expect(container.getId()).toMatch(/^[0-9a-f]{64}$/);
      await container.stop({ timeout: 1 });
    });

    it('connects containers by a network of its own, under names', async () => {
      const { GenericContainer, Network, Wait } = library;
      const network = await new Network().start();
      const server = await new GenericContainer('busybox')
        .withNetwork(network)
        .withNetworkAliases('pages')
        .withExposedPorts(80)
        .withCommand([
          'sh',
          '-c',
          'mkdir /www; echo hello from pages > /www/index.html; httpd -f -v -p 80 -h /www',
        ])
        .withWaitStrategy(Wait.forSuccessfulCommand('wget -qO- http://localhost/'))
        .start();
      const client = await new GenericContainer('busybox')
        .withNetwork(network)
        .withCommand(['sleep', '600'])
        .start();
      expect(server.getMappedPort(80)).toBeGreaterThan(1024);
      const page = await client.exec(['wget', '-qO-', 'http://pages/']);
      expect(page).toMatchObject({ exitCode: 0, stdout: 'hello from pages\n' });
      await Promise.all([client.stop({ timeout: 0 }), server.stop({ timeout: 0 })]);
      await network.stop();
    });

    it('copies content in before the start, and archives out', async () => {
      const { GenericContainer, Wait } = library;
      const container = await new GenericContainer('busybox')
        .withCopyContentToContainer([{ content: 'from outside\n', target: '/tmp/given/file' }])
        .withCommand(['sh', '-c', 'cat /tmp/given/file; sleep 600'])
        .withWaitStrategy(Wait.forLogMessage('from outside'))
        .start();
      await container.copyContentToContainer([{ content: 'later', target: '/tmp/later' }]);
      expect((await container.exec(['cat', '/tmp/later'])).stdout).toBe('later');
      const archive = await text(await container.copyArchiveFromContainer('/tmp/later'));
      expect(archive).toContain('later');
      await container.stop({ timeout: 0 });
    });
  },
);

import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import type { Server } from 'node:http';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ControlClient } from '../client/client.ts';
import { ControlError, EngineUnreachable } from '../client/http.ts';
import type { Activity, DockerEvent } from '../client/types.ts';
import { openCatalogue } from '../image/catalogue.ts';
import { createLogger } from '../log.ts';
import type { LabHost } from '../sandbox/lab-host.ts';
import { missing, RealHost } from '../sandbox/test/real-host.ts';
import { ActivityHub } from './activity.ts';
import { createControlServer, isAnswering, listenControl } from './server.ts';
import { type Tenant, Tenants } from './tenant.ts';

/** A daemon that tells what it was asked: the real one has tests of its own. */
class EchoTenant implements Tenant {
  readonly listeners = new Set<(event: DockerEvent) => void>();
  readonly handle: Tenant['handle'] = (request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ method: request.method, url: request.url }));
  };
  readonly upgrade: Tenant['upgrade'] = (_request, socket) => void socket.end();
  readonly builds: Tenant['builds'] = {
    subscribe: (listener, onEnd) => {
      listener({ kind: 'started', build: 'b', dockerfile: 'Dockerfile', target: '', references: ['x'] });
      setTimeout(onEnd, 20);
      return () => undefined;
    },
  };
  readonly events: Tenant['events'] = {
    subscribe: (listener) => {
      this.listeners.add(listener);
      return () => this.listeners.delete(listener);
    },
  };
  async dispose(): Promise<void> {}
}

async function readUntil(stream: Duplex, wanted: RegExp): Promise<string> {
  let text = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (wanted.test(text)) return text;
  }
  throw new Error(`the stream ended after ${JSON.stringify(text)}`);
}

async function statusOf(work: Promise<unknown>): Promise<number> {
  const error = await work.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  return error instanceof ControlError ? error.status : 0;
}

describe.skipIf(missing)(`the control API${missing ? ` (${missing})` : ''}`, () => {
  const echo = new EchoTenant();
  let real: RealHost;
  let server: Server;
  let client: ControlClient;
  let socketPath: string;

  beforeAll(async () => {
    real = await RealHost.make();
    const log = createLogger('silent');
    const activity = new ActivityHub();
    const tenants = new Tenants(async () => echo, 999, log);
    const manager = await real.manager(
      {},
      {},
      {
        async up(sandbox: LabHost) {
          await tenants.open(sandbox);
          activity.watchDocker(sandbox, tenants);
        },
        async down(sandbox: LabHost) {
          activity.unwatchDocker(sandbox);
          await tenants.close(sandbox);
        },
        changed: (sandbox, state) => activity.publish(sandbox.id, { kind: 'sandbox', state }),
      },
    );
    const catalogue = await openCatalogue(path.join(real.directory, 'none'));
    server = createControlServer({ manager, tenants, activity, catalogue, log });
    socketPath = path.join(real.directory, 'control.sock');
    await listenControl(server, socketPath, 0);
    client = new ControlClient(socketPath);
    await client.createSandbox({ name: 'ada' });
  });
  afterAll(async () => {
    client?.close();
    server?.close();
    server?.closeAllConnections();
    await real?.dispose();
  });

  it('is open to root and its group only, and to one engine', async () => {
    expect((await stat(socketPath)).mode & 0o777).toBe(0o660);
    expect(await isAnswering(socketPath)).toBe(true);
    await expect(listenControl(server, socketPath, 0)).rejects.toThrow('another engine is answering');
    await expect(new ControlClient(`${socketPath}x`).health()).rejects.toBeInstanceOf(EngineUnreachable);
  });

  it('creates, lists and describes sandboxes', async () => {
    const sandbox = await client.sandbox('ada');
    expect(sandbox).toMatchObject({ name: 'ada', hostname: 'ada', state: 'running' });
    expect(sandbox.memoryUsage).toBeGreaterThan(0);
    expect((await client.sandboxes()).map((entry) => entry.name)).toEqual(['ada']);
    expect(await client.images()).toEqual([]);
  });

  it('refuses what is wrong with the right status', async () => {
    expect(await statusOf(client.createSandbox({ name: 'ada' }))).toBe(409);
    expect(await statusOf(client.createSandbox({ name: 'No Good' }))).toBe(400);
    expect(await statusOf(client.createSandbox({ name: 'x', limits: { memory: 1 } }))).toBe(400);
    expect(await statusOf(client.sandbox('nobody'))).toBe(404);
    expect(await statusOf(client.deleteSandbox('nobody'))).toBe(404);
    expect(await statusOf(client.readFile('ada', 'relative'))).toBe(400);
    expect(await statusOf(client.readFile('ada', '/no/such'))).toBe(404);
    expect(await statusOf(client.readFile('ada', '/dev/zero'))).toBe(400);
    expect(await statusOf(client.terminal('ada', 'none'))).toBe(404);
    expect(await statusOf(client.dial('ada', 1))).toBe(502);
    expect(await statusOf(client.dial('ada', 80, { address: 'example.org' }))).toBe(400);
  });

  it('runs programs and says how they ended', async () => {
    const result = await client.run('ada', {
      argv: ['sh', '-c', 'read a; echo "$a $B" $PWD; echo no >&2; exit 7'],
      stdin: 'in\n',
      env: { B: 'b' },
      cwd: '/tmp',
    });
    expect(result).toEqual({
      exitCode: 7,
      stdout: 'in b /tmp\n',
      stderr: 'no\n',
      truncated: false,
      timedOut: false,
    });
    expect((await client.run('ada', { argv: ['nosuch'] })).exitCode).toBe(127);
    expect(await client.run('ada', { argv: ['sh', '-c', 'kill -TERM $$'] })).toMatchObject({ exitCode: 143 });
    expect(await client.run('ada', { argv: ['sleep', '60'], timeout: 100 })).toMatchObject({
      exitCode: 137,
      timedOut: true,
    });
  });

  it('loses no output of a program that ends at once, whatever its input', async () => {
    const runs = Array.from({ length: 40 }, (_, index) =>
      client.run('ada', { argv: ['echo', String(index)], stdin: 'x'.repeat(index * 5000) }),
    );
    expect((await Promise.all(runs)).map((result) => result.stdout)).toEqual(
      runs.map((_, index) => `${index}\n`),
    );
  });

  it('keeps a bounded part of what a program says', async () => {
    const { stdout, truncated, exitCode } = await client.run('ada', {
      argv: ['sh', '-c', 'yes | head -c 5000000'],
      maxOutput: 1000,
    });
    expect([stdout.length, truncated, exitCode]).toEqual([1000, true, 0]);
  });

  it('writes and reads files', async () => {
    const bytes = Buffer.from([0, 255, 10, 1]);
    await client.writeFile('ada', '/root/deep/er/file', bytes, { mode: 0o640 });
    const file = await client.readFile('ada', '/root/deep/er/file');
    expect(Buffer.from(file.content, 'base64')).toEqual(bytes);
    expect(file).toMatchObject({ size: 4, mode: 0o100640, uid: 0, gid: 0, truncated: false });
    expect(await client.readFile('ada', '/root/deep/er/file', { limit: 2 })).toMatchObject({
      truncated: true,
    });
    expect(await statusOf(client.writeFile('ada', '/root/big', Buffer.alloc(4 * 2 ** 20)))).toBe(413);
  });

  it('tells the processes as the lab host sees them', async () => {
    await client.createTerminal('ada', { id: 'ps', rows: 24, cols: 80, argv: ['sleep', '100'] });
    const processes = await client.processes('ada');
    expect(processes[0]).toMatchObject({
      pid: 1,
      ppid: 0,
      comm: 'berth-init',
      uid: 0,
      container: null,
      cgroup: '/',
    });
    expect(processes.find((entry) => entry.comm === 'sleep')).toMatchObject({
      ppid: 1,
      args: ['sleep', '100'],
    });
    expect(processes[0]?.namespaces.pid).toBeGreaterThan(0);
    await client.deleteTerminal('ada', 'ps');
  });

  it('holds terminals that survive their connections', async () => {
    await client.createTerminal('ada', { id: 't', rows: 24, cols: 80 });
    expect(await client.createTerminal('ada', { id: 't', rows: 24, cols: 80 })).toEqual({
      id: 't',
      state: 'running',
    });
    const first = await client.openTerminal('ada', 't', { replay: true });
    await readUntil(first, /[#$] /);
    first.write('X=kept; stty size\n');
    await readUntil(first, /24 80/);
    first.destroy();
    await client.resizeTerminal('ada', 't', { rows: 40, cols: 100 });
    const second = await client.openTerminal('ada', 't', { replay: true });
    second.write('echo $X-$TERM-$(stty size); exit 5\n');
    expect(await readUntil(second, /kept-xterm-256color-40 100/)).toContain('24 80');
    second.resume();
    await once(second, 'end');
    expect(await client.terminal('ada', 't')).toEqual({ id: 't', state: 'ended', exitCode: 5 });
    await client.deleteTerminal('ada', 't');
    expect(await client.terminals('ada')).toEqual([]);
  });

  it('stops a program whose terminal nobody reads, and goes on when somebody does', async () => {
    await client.createTerminal('ada', {
      id: 'y',
      rows: 24,
      cols: 80,
      argv: ['sh', '-c', 'sleep 0.3; yes 0123456789 | head -c 8000000; echo; echo THE-END; sleep 5'],
    });
    const terminal = await client.openTerminal('ada', 'y');
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect((await client.processes('ada')).some((entry) => entry.comm === 'head')).toBe(true);
    await readUntil(terminal, /THE-END/);
    terminal.destroy();
    await client.deleteTerminal('ada', 'y');
  });

  it('dials ports inside', async () => {
    const script =
      '$s=IO::Socket::INET->new(Listen=>1,LocalAddr=>"127.0.0.1",LocalPort=>8080);print "up\\n";$c=$s->accept;$t.=$_ while <$c>;print $c "got $t";close $c';
    await client.createTerminal('ada', {
      id: 'srv',
      rows: 24,
      cols: 80,
      argv: ['perl', '-MIO::Socket', '-e', `$|=1;${script}`],
    });
    await readUntil(await client.openTerminal('ada', 'srv', { replay: true }), /up/);
    const socket = await client.dial('ada', 8080);
    socket.end('hello');
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    expect(answer).toBe('got hello');
    await client.deleteTerminal('ada', 'srv');
  });

  it("passes Docker's API on, and listens on the socket of the sandbox", async () => {
    expect(await client.docker('ada', 'POST', '/v1.47/containers/create?name=x')).toEqual({
      status: 200,
      body: { method: 'POST', url: '/v1.47/containers/create?name=x' },
    });
    const inside = await client.run('ada', {
      argv: ['curl', '-s', '--unix-socket', '/var/run/docker.sock', 'http://docker/_ping'],
    });
    expect(inside.stdout).toContain('"url":"/_ping"');
    const { dockerSocket, uidBase } = await client.sandbox('ada');
    expect(await stat(dockerSocket)).toMatchObject({ uid: uidBase, gid: uidBase + 999 });
  });

  it('tells what happens', async () => {
    const controller = new AbortController();
    const seen: Activity[] = [];
    const watching = (async () => {
      for await (const event of client.activity('ada', { signal: controller.signal })) seen.push(event);
    })();
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const listener of echo.listeners) {
      listener({
        Type: 'container',
        Action: 'start',
        Actor: { ID: 'x', Attributes: {} },
        time: 1,
        timeNano: 2,
      });
    }
    await client.freezeSandbox('ada');
    expect(await statusOf(client.run('ada', { argv: ['true'] }))).toBe(409);
    expect((await client.docker('ada', 'GET', '/_ping')).status).toBe(409);
    await client.thawSandbox('ada');
    await client.createTerminal('ada', { id: 'hint', rows: 24, cols: 80 });
    await readUntil(await client.openTerminal('ada', 'hint', { replay: true }), /[#$] /);
    await new Promise((resolve) => setTimeout(resolve, 100));
    controller.abort();
    await watching;
    expect(seen.map((event) => (event.kind === 'sandbox' ? event.state : event.kind))).toEqual([
      'docker',
      'frozen',
      'running',
      'terminal',
    ]);
  });

  it('tells of builds until the daemon goes', async () => {
    await client.createSandbox({ name: 'builder' });
    const seen: unknown[] = [];
    for await (const event of client.builds('builder')) seen.push(event);
    expect(seen).toMatchObject([{ kind: 'started', build: 'b', references: ['x'] }]);
    await client.deleteSandbox('builder');
  });

  it('resets and deletes', async () => {
    await client.writeFile('ada', '/root/f', 'x');
    expect((await client.resetSandbox('ada')).state).toBe('running');
    expect(await statusOf(client.readFile('ada', '/root/f'))).toBe(404);
    const ended = (async () => {
      const seen: Activity[] = [];
      for await (const event of client.activity('ada')) seen.push(event);
      return seen;
    })();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await client.deleteSandbox('ada');
    expect(await ended).toEqual([{ kind: 'sandbox', state: 'deleted' }]);
    expect(await client.sandboxes()).toEqual([]);
  });
});

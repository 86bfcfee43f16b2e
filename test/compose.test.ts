// The real docker compose: projects of different shapes, from up to down, in a lab host; one of them on a real dockerd as well.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type ComposeProject, hostProject, labProject } from './support/compose.ts';
import { engineMissing, TestEngine } from './support/engine.ts';

const LAB = 'compose';
const why = engineMissing ? ` (${engineMissing})` : '';
const unique = (prefix: string) => `${prefix}${randomBytes(4).toString('hex')}`;

let engine: TestEngine;
beforeAll(async () => {
  if (engineMissing) return;
  engine = await TestEngine.start();
  await engine.control.createSandbox({ name: LAB });
  const docker = await engine.docker(LAB);
  for (const image of ['busybox', 'nginx']) await docker.ok('pull', image);
}, 60_000);
afterAll(async () => {
  if (!engineMissing) await engine.dispose();
});

async function ok(project: ComposeProject, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await project.compose(args);
  if (code !== 0) throw new Error(`docker compose ${args.join(' ')}: exit ${code}: ${stderr}`);
  return stdout.trim();
}
async function shell(project: ComposeProject, script: string): Promise<string> {
  const { code, stdout, stderr } = await project.sh(script);
  if (code !== 0) throw new Error(`${script}: exit ${code}: ${stderr}`);
  return stdout.trim();
}
const Service = z.looseObject({
  Service: z.string(),
  State: z.string(),
  Health: z.string(),
  Name: z.string(),
});
async function ps(project: ComposeProject, ...args: string[]) {
  const text = await ok(project, 'ps', '--format', 'json', ...args);
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => Service.parse(JSON.parse(line)));
}
const states = async (project: ComposeProject) =>
  (await ps(project, '-a')).map(({ Service, State }) => `${Service} ${State}`).sort();

/** What a `down -v` must leave of a project: nothing. */
async function expectNothingLeft(project: ComposeProject, name: string): Promise<void> {
  const label = `label=com.docker.compose.project=${name}`;
  for (const list of ['ps -aq', 'volume ls -q', 'network ls -q']) {
    expect(await shell(project, `docker ${list} --filter ${label}`), list).toBe('');
  }
}

describe.skipIf(engineMissing)(`docker compose in a lab host${why}`, () => {
  it('a web server with a database behind it, started when the database is healthy', async () => {
    const project = await labProject(engine, LAB, 'shop', {
      'compose.yaml': `
services:
  db:
    image: busybox
    command: sh -c 'sleep 1; cp /run/secrets/password /data/index.html; exec httpd -f -p 5432 -h /data'
    volumes: [data:/data]
    secrets: [password]
    healthcheck:
      test: wget -q -O /dev/null http://127.0.0.1:5432/
      interval: 1s
      start_period: 10s
      start_interval: 200ms
  web:
    image: nginx
    ports: ["8081:80"]
    configs: [{ source: site, target: /etc/nginx/conf.d/default.conf }]
    depends_on: { db: { condition: service_healthy } }
volumes: { data: }
secrets: { password: { file: ./password.txt } }
configs: { site: { file: ./site.conf } }
`,
      'password.txt': 'from the database\n',
      'site.conf': 'server { listen 80; location / { proxy_pass http://db:5432/; } }\n',
    });
    await ok(project, 'up', '-d', '--wait');
    expect(await states(project)).toEqual(['db running', 'web running']);
    expect((await ps(project, 'db'))[0]?.Health).toBe('healthy');
    expect(await shell(project, 'curl -s http://localhost:8081/')).toBe('from the database');
    expect(await ok(project, 'exec', '-T', 'db', 'cat', '/run/secrets/password')).toBe('from the database');
    expect(await ok(project, 'port', 'web', '80')).toBe('0.0.0.0:8081');
    await ok(project, 'restart', '-t', '0');
    await expect.poll(() => shell(project, 'curl -s http://localhost:8081/')).toBe('from the database');
    // data outlives the containers
    await ok(project, 'down', '-t', '0');
    expect(await shell(project, 'docker volume ls -q')).toContain('shop_data');
    await ok(project, 'down', '-v');
    await expectNothingLeft(project, 'shop');
  });

  it('a proxy with two back ends, which it finds by their names', async () => {
    const backend = (name: string) => `
  ${name}:
    image: busybox
    environment: { WHO: ${name} }
    stop_grace_period: 0s
    command: sh -c 'mkdir /www; echo $$WHO > /www/index.html; exec httpd -f -p 80 -h /www'`;
    const project = await labProject(engine, LAB, 'proxy', {
      'compose.yaml': `
services:
  proxy:
    image: nginx
    stop_grace_period: 0s
    ports: ["8082:80"]
    volumes: ["./default.conf:/etc/nginx/conf.d/default.conf:ro"]
    depends_on: [red, blue]${backend('red')}${backend('blue')}
`,
      'default.conf': `
upstream all { server red:80; server blue:80; }
server { listen 80;
  location / { proxy_pass http://all/; }
  location /red/ { proxy_pass http://red/; }
}
`,
    });
    await ok(project, 'up', '-d', '--wait');
    expect(await shell(project, 'curl -s http://localhost:8082/red/')).toBe('red');
    const answers = await shell(project, 'for i in 1 2 3 4 5 6; do curl -s http://localhost:8082/; done');
    expect(new Set(answers.split('\n'))).toEqual(new Set(['red', 'blue']));
    // a change of the configuration makes that one container anew
    const before = await ok(project, 'ps', '-q', 'red');
    await shell(project, "sed -i 's/WHO: blue/WHO: green/' compose.yaml");
    await ok(project, 'up', '-d', '--wait');
    expect(await ok(project, 'ps', '-q', 'red')).toBe(before);
    expect(await ok(project, 'exec', '-T', 'blue', 'cat', '/www/index.html')).toBe('green');
    await ok(project, 'down', '-t', '0');
    await expectNothingLeft(project, 'proxy');
  });

  it('a queue with workers that are scaled', async () => {
    const project = await labProject(engine, LAB, 'queue', {
      'compose.yaml': `
services:
  queue:
    image: busybox
    command: sh -c 'mkdir /jobs/todo /jobs/done; for i in $$(seq 60); do echo $$i > /jobs/todo/$$i; done; touch /jobs/ready; exec sleep 600'
    volumes: [jobs:/jobs]
    healthcheck: { test: test -f /jobs/ready, interval: 1s, start_period: 5s, start_interval: 100ms }
  worker:
    image: busybox
    command: sh -c 'while :; do for j in $$(ls /jobs/todo); do mv /jobs/todo/$$j /tmp/$$j 2>/dev/null && hostname > /jobs/done/$$j; done; sleep 0.1; done'
    volumes: [jobs:/jobs]
    depends_on: { queue: { condition: service_healthy } }
    stop_grace_period: 0s
    deploy: { replicas: 2 }
volumes: { jobs: }
`,
    });
    await ok(project, 'up', '-d', '--wait', '--scale', 'worker=3');
    expect((await ps(project, 'worker')).map(({ Name }) => Name).sort()).toEqual(
      [1, 2, 3].map((n) => `queue-worker-${n}`),
    );
    await expect
      .poll(() => ok(project, 'exec', '-T', 'queue', 'sh', '-c', 'ls /jobs/done | wc -l'), {
        timeout: 10_000,
      })
      .toBe('60');
    const names = await ok(project, 'exec', '-T', 'queue', 'nslookup', '-type=a', 'worker');
    expect(names.match(/^Address: /gm)).toHaveLength(3);
    await ok(project, 'scale', 'worker=1');
    expect(await ps(project, 'worker')).toHaveLength(1);
    await ok(project, 'up', '-d', '--no-recreate');
    expect(await ps(project, 'worker')).toHaveLength(2);
    await ok(project, 'down', '-v', '-t', '0');
    await expectNothingLeft(project, 'queue');
  });

  it('several networks, each of which sees its own services only', async () => {
    const service = (networks: string) =>
      `{ image: busybox, command: sleep 600, stop_grace_period: 0s, init: true, networks: ${networks} }`;
    const project = await labProject(engine, LAB, 'tiers', {
      'compose.yaml': `
services:
  front: ${service('[outside]')}
  middle: ${service('{ outside: { aliases: [api] }, inside: { ipv4_address: 10.55.0.9 } }')}
  back: ${service('[inside]')}
networks:
  outside:
  inside:
    internal: true
    ipam: { config: [{ subnet: 10.55.0.0/24 }] }
`,
    });
    await ok(project, 'up', '-d', '--wait');
    const reaches = async (from: string, to: string) =>
      (await project.compose(['exec', '-T', from, 'ping', '-c', '1', '-W', '1', to])).code === 0;
    expect(await reaches('front', 'api')).toBe(true);
    expect(await reaches('middle', 'back')).toBe(true);
    expect(await reaches('back', 'middle')).toBe(true);
    expect(await reaches('front', 'back')).toBe(false);
    expect(await reaches('back', 'api')).toBe(false);
    const address = await ok(project, 'exec', '-T', 'back', 'hostname', '-i');
    expect(address).toMatch(/^10\.55\.0\./);
    expect(await reaches('front', address)).toBe(false);
    expect(await reaches('front', '10.55.0.9')).toBe(false);
    expect(await ok(project, 'exec', '-T', 'back', 'ping', '-c', '1', '10.55.0.9')).toContain(
      '1 packets received',
    );
    await ok(project, 'down');
    await expectNothingLeft(project, 'tiers');
  });

  it('services built from Dockerfiles, and not made anew when nothing changed', async () => {
    const project = await labProject(engine, LAB, 'built', {
      'compose.yaml': `
services:
  app:
    build: { context: ./app, args: { WORD: hello }, target: final }
    stop_grace_period: 0s
  client:
    build:
      context: .
      dockerfile_inline: |
        FROM busybox
        COPY ask.sh /ask.sh
        CMD ["sh", "/ask.sh"]
    depends_on: [app]
    stop_grace_period: 0s
`,
      'ask.sh': 'until wget -q -O - http://app/; do sleep 0.1; done; exec sleep 600\n',
      'app/Dockerfile': `FROM busybox AS make
ARG WORD
RUN mkdir /www && echo "$WORD from a build" > /www/index.html
FROM busybox AS final
COPY --from=make /www /www
LABEL z=1 a=2
EXPOSE 80
CMD ["httpd", "-f", "-h", "/www"]
`,
    });
    await ok(project, 'up', '-d', '--build', '--wait');
    await expect.poll(() => ok(project, 'logs', '--no-log-prefix', 'client')).toBe('hello from a build');
    const before = await ok(project, 'ps', '-q');
    for (let round = 0; round < 3; round++) await ok(project, 'up', '-d', '--build');
    expect(await ok(project, 'ps', '-q')).toBe(before);
    await shell(project, "sed -i 's/WORD: hello/WORD: bye/' compose.yaml");
    await ok(project, 'up', '-d', '--build', '--wait');
    expect(await ok(project, 'exec', '-T', 'client', 'wget', '-q', '-O', '-', 'http://app/')).toBe(
      'bye from a build',
    );
    await ok(project, 'down', '--rmi', 'local');
    expect(await shell(project, 'docker images -q --filter reference="built-*"')).toBe('');
    await expectNothingLeft(project, 'built');
  });

  it('copies files, and brings changed ones into containers while it watches', async () => {
    const project = await labProject(engine, LAB, 'watched', {
      'compose.yaml': `
services:
  app:
    build:
      context: .
      dockerfile_inline: |
        FROM busybox
        COPY src /src
        CMD ["sleep", "600"]
    stop_grace_period: 0s
    develop: { watch: [{ path: ./src, action: sync, target: /src }] }
`,
      'src/file': 'one\n',
    });
    await ok(project, 'up', '-d', '--build');
    await shell(project, 'touch watch.log');
    const watching = project.sh('timeout 12 docker compose watch --no-up > watch.log 2>&1');
    await expect.poll(() => shell(project, 'cat watch.log'), { timeout: 10_000 }).toContain('Watch enabled');
    await shell(project, 'echo two > src/file');
    await expect
      .poll(() => ok(project, 'exec', '-T', 'app', 'cat', '/src/file'), { timeout: 10_000 })
      .toBe('two');
    await ok(project, 'cp', 'app:/src/file', 'back');
    expect(await shell(project, 'cat back')).toBe('two');
    await ok(project, 'down', '--rmi', 'local');
    await watching;
    await expectNothingLeft(project, 'watched');
  });

  it('profiles, env files, one-off containers, shared network namespaces, orphans and a project name', async () => {
    const project = await labProject(engine, LAB, 'odds', {
      'compose.yaml': `
name: odds-and-ends
services:
  main:
    image: busybox
    env_file: app.env
    environment: { LEVEL: "\${LEVEL:-low}" }
    command: sh -c 'echo $$GREETING $$LEVEL; exec httpd -f -p 80 -h /etc'
    stop_grace_period: 0s
  side:
    image: busybox
    network_mode: service:main
    command: sh -c 'until wget -q -O /dev/null http://127.0.0.1/passwd; do sleep 0.1; done; echo seen; exec sleep 600'
    stop_grace_period: 0s
  offline: { image: busybox, network_mode: none, command: sleep 600, stop_grace_period: 0s }
  once: { image: busybox, command: sh -c 'exit 3' , profiles: [tools] }
  setup: { image: busybox, command: "true" }
  after: { image: busybox, command: sleep 600, stop_grace_period: 0s, depends_on: { setup: { condition: service_completed_successfully } } }
`,
      'app.env': 'GREETING=hello\n',
      '.env': 'LEVEL=high\n',
    });
    await ok(project, 'up', '-d');
    expect(await ok(project, 'config', '--services', '--no-interpolate')).not.toContain('once');
    await expect
      .poll(() => ok(project, 'logs', '--no-log-prefix', 'main', 'side'))
      .toMatch(/hello high[\s\S]*seen|seen[\s\S]*hello high/);
    expect(await states(project)).toEqual([
      'after running',
      'main running',
      'offline running',
      'setup exited',
      'side running',
    ]);
    expect((await project.compose(['run', '--rm', '-T', 'once'])).code).toBe(3);
    expect(await ok(project, 'run', '--rm', '-T', '-e', 'LEVEL=own', 'main', 'sh', '-c', 'echo $LEVEL')).toBe(
      'own',
    );
    expect((await project.compose(['wait', 'setup'])).stdout.trim() || '0').toBe('0');
    expect(await ok(project, 'top', 'main')).toContain('httpd');
    await ok(project, 'pause', 'offline');
    expect((await ps(project, '-a', 'offline'))[0]?.State).toBe('paused');
    await ok(project, 'unpause', 'offline');
    await ok(project, 'kill', 'offline');
    expect((await ps(project, '-a', 'offline'))[0]?.State).toBe('exited');
    // a service that is gone from the file leaves an orphan
    await shell(project, 'sed -i "/offline:/d" compose.yaml');
    const warned = await project.compose(['up', '-d']);
    expect(warned.stderr).toContain('Found orphan containers ([odds-and-ends-offline-1])');
    await ok(project, 'up', '-d', '--remove-orphans');
    expect(await shell(project, 'docker ps -aq --filter name=offline')).toBe('');
    // the older spelling, and another project of the same file
    expect(await shell(project, 'docker-compose ls --format json')).toContain('"odds-and-ends"');
    await ok(project, '-p', 'twin', 'up', '-d', 'after');
    expect(await shell(project, 'docker ps -q --filter label=com.docker.compose.project=twin')).not.toBe('');
    await ok(project, '-p', 'twin', 'down');
    await ok(project, 'down', '--remove-orphans');
    await expectNothingLeft(project, 'odds-and-ends');
    await expectNothingLeft(project, 'twin');
  });

  it('follows logs and events, and stops with the terminal', async () => {
    const project = await labProject(engine, LAB, 'follow', {
      'compose.yaml': `
services:
  a: { image: busybox, command: "sh -c 'for i in 1 2 3 4 5; do echo a$$i; sleep 0.2; done'" }
  b: { image: busybox, command: "sh -c 'for i in 1 2 3 4 5; do echo b$$i; sleep 0.2; done; exit 4'" }
`,
    });
    const events = project.sh('timeout 6 docker compose events --json');
    await sleep(500);
    const up = await project.compose(['up', '--exit-code-from', 'b', '--no-color']);
    expect(up.code).toBe(4);
    for (const line of ['a-1  | a1', 'a-1  | a3', 'b-1  | b5']) expect(up.stdout).toContain(line);
    expect(await ok(project, 'logs', '-f', '--no-log-prefix', 'b')).toBe('b1\nb2\nb3\nb4\nb5');
    await ok(project, 'down');
    const actions = (await events).stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => z.looseObject({ action: z.string(), service: z.string() }).parse(JSON.parse(line)))
      .filter(({ service }) => service === 'b')
      .map(({ action }) => action);
    expect(actions.filter((action) => ['create', 'start', 'die', 'destroy'].includes(action))).toEqual([
      'create',
      'start',
      'die',
      'destroy',
    ]);
    await expectNothingLeft(project, 'follow');
  });

  it('converges after kill -9 of the engine in the middle of up', { timeout: 120_000 }, async () => {
    const web = (name: string) => `
  ${name}:
    image: busybox
    command: sh -c 'exec httpd -f -p 80 -h /etc'
    volumes: ["${name}:/data"]
    stop_grace_period: 0s
    init: true
    healthcheck: { test: wget -q -O /dev/null http://127.0.0.1/passwd, interval: 1s, start_period: 5s, start_interval: 100ms }`;
    const names = ['one', 'two', 'three', 'four'];
    const project = await labProject(engine, LAB, 'crash', {
      'compose.yaml': `
services:${names.map(web).join('')}
volumes: { ${names.map((name) => `${name}: `).join(', ')} }
`,
    });
    for (let round = 0; round < 4; round++) {
      const attempt = project.compose(['up', '-d', '--wait']).catch(() => undefined);
      await sleep(150 + round * 170);
      await engine.end('SIGKILL');
      await engine.up();
      await attempt;
      await ok(project, 'up', '-d', '--wait');
      expect(await states(project)).toEqual(names.map((name) => `${name} running`).sort());
      expect((await ps(project)).map(({ Health }) => Health)).toEqual(names.map(() => 'healthy'));
      expect(
        await ok(project, 'exec', '-T', 'one', 'wget', '-q', '-O', '-', 'http://four/hostname'),
      ).not.toBe('');
      const label = 'label=com.docker.compose.project=crash';
      expect((await shell(project, `docker ps -aq --filter ${label}`)).split('\n')).toHaveLength(4);
      expect((await shell(project, `docker network ls -q --filter ${label}`)).split('\n')).toHaveLength(1);
      await ok(project, 'down', '-v');
      await expectNothingLeft(project, 'crash');
    }
  });
});

const peer = process.env.BERTH_PEER;

describe.skipIf(engineMissing).each(['Berth', ...(peer ? ['dockerd'] : [])])(
  `a project’s life on %s${why}`,
  (where) => {
    const name = unique('life');
    let project: ComposeProject;
    let dispose = async () => {};
    beforeAll(async () => {
      const files = {
        'compose.yaml': `
name: ${name}
services:
  first:
    image: busybox
    command: sh -c 'echo started; trap "echo bye; exit 0" TERM; while :; do sleep 0.1; done'
    volumes: [kept:/kept, /own]
    labels: { tier: one }
    healthcheck: { test: "true", interval: 1s }
  second:
    image: busybox
    command: sleep 600
    stop_grace_period: 0s
    init: true
    depends_on: { first: { condition: service_healthy, restart: true } }
volumes: { kept: { labels: { a: b } } }
networks: { default: { labels: { c: d } } }
`,
      };
      if (where === 'Berth') {
        project = await labProject(engine, LAB, name, files);
      } else {
        const made = await hostProject(peer ?? '', name, files);
        project = made;
        dispose = made.dispose;
      }
    });
    afterAll(async () => {
      await project.compose(['down', '-v', '-t', '0']);
      await dispose();
    });

    it('goes from up to down', async () => {
      const up = await project.compose(['up', '-d', '--wait']);
      expect(up.code, up.stderr).toBe(0);
      for (const line of [
        `Network ${name}_default  Created`,
        `Volume "${name}_kept"  Created`,
        `Container ${name}-first-1  Healthy`,
        `Container ${name}-second-1  Started`,
      ]) {
        expect(up.stderr).toContain(line);
      }
      expect(await states(project)).toEqual(['first running', 'second running']);
      expect(await ok(project, 'logs', '--no-log-prefix', 'first')).toBe('started');
      await ok(project, 'run', '--rm', '-T', 'first', 'sh', '-c', 'echo 1 > /kept/f');
      const again = await project.compose(['up', '-d']);
      expect(again.stderr).toContain(`Container ${name}-first-1  Running`);
      await ok(project, 'stop');
      expect(await states(project)).toEqual(['first exited', 'second exited']);
      expect(await ok(project, 'logs', '--no-log-prefix', 'first')).toBe('started\nbye');
      await ok(project, 'start');
      expect(await ok(project, 'run', '--rm', '-T', 'first', 'cat', '/kept/f')).toBe('1');
      await ok(project, 'up', '-d', '--force-recreate', '--wait', '-t', '0');
      expect(await ok(project, 'run', '--rm', '-T', 'first', 'cat', '/kept/f')).toBe('1');
      expect((await project.compose(['exec', '-T', 'nosuch', 'true'])).stderr).toContain(
        'service "nosuch" is not running',
      );
      const down = await project.compose(['down', '-v', '-t', '0']);
      for (const line of [
        `Container ${name}-second-1  Removed`,
        `Volume ${name}_kept  Removed`,
        `Network ${name}_default  Removed`,
      ]) {
        expect(down.stderr).toContain(line);
      }
      expect(await ok(project, 'ps', '-aq')).toBe('');
    });
  },
);

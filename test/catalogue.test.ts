// The bundled images do what people know of them: each is run in a real sandbox as its documentation elsewhere says.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DockerCli } from './support/docker.ts';
import { engineMissing, TestEngine } from './support/engine.ts';

const TIMEOUT = 60_000;

describe.skipIf(engineMissing)(`the catalogue${engineMissing ? ` (${engineMissing})` : ''}`, () => {
  let engine: TestEngine;
  let docker: DockerCli;
  beforeAll(async () => {
    engine = await TestEngine.start();
    await engine.control.createSandbox({ name: 'catalogue', limits: { memory: 2 * 2 ** 30 } });
    docker = await engine.docker('catalogue');
  }, TIMEOUT);
  afterAll(() => engine?.dispose());

  /** Runs a command in a container until it succeeds, and gives its output: servers need a moment. */
  async function eventually(container: string, ...command: string[]): Promise<string> {
    let last = '';
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(200)) {
      const { code, stdout, stderr } = await docker.run(['exec', container, ...command]);
      if (code === 0) return stdout.trim();
      last = stderr;
    }
    throw new Error(`${command.join(' ')} in ${container} never succeeded: ${last}`);
  }

  it.each([
    ['hello-world', [], /Hello from/],
    ['busybox', ['echo', 'hi'], /^hi$/],
    ['debian:trixie-slim', ['cat', '/etc/debian_version'], /^13/],
    ['python:3.13-slim', ['python', '-c', 'import ssl, sqlite3, venv; print(6 * 7)'], /^42$/],
    ['python', ['pip', '--version'], /^pip /],
    ['node:20', ['-e', 'console.log(6 * 7)'], /^42$/],
    ['node:20-slim', ['npm', '--version'], /^10\./],
    ['golang', ['go', 'version'], /^go version go1\./],
    ['registry:2', ['--version'], /2\.8/],
  ])('%s runs %j', { timeout: TIMEOUT }, async (image, command, output) => {
    await docker.ok('pull', '-q', image);
    expect(await docker.ok('run', '--rm', image, ...command)).toMatch(output);
  });

  it('go builds a static program without a network', { timeout: TIMEOUT }, async () => {
    const script =
      'mkdir app && cd app && go mod init app 2>/dev/null && printf \'package main\\nimport "fmt"\\nfunc main() { fmt.Println(6*7) }\\n\' >main.go' +
      ' && CGO_ENABLED=0 go build -o /app . && /app';
    await docker.ok('pull', '-q', 'golang');
    expect(await docker.ok('run', '--rm', 'golang', 'sh', '-c', script)).toBe('42');
  });

  it.each([
    ['nginx', '/usr/share/nginx/html'],
    ['httpd', '/usr/local/apache2/htdocs'],
  ])('%s serves the files in %s, and stops at once', { timeout: TIMEOUT }, async (image, root) => {
    await docker.ok('pull', '-q', image, '--quiet');
    await docker.ok('run', '-d', '--name', image, image);
    await docker.ok('exec', image, 'sh', '-c', `echo "I am ${image}" >${root}/page.html`);
    const page =
      'exec 3<>/dev/tcp/127.0.0.1/80; printf "GET /page.html HTTP/1.0\\r\\n\\r\\n" >&3; tail -n1 <&3';
    expect(await eventually(image, 'bash', '-c', page)).toBe(`I am ${image}`);
    await docker.ok('stop', image);
    expect(await docker.ok('inspect', '-f', '{{.State.ExitCode}}', image)).toBe('0');
  });

  it('redis keeps what it is told over a restart', { timeout: TIMEOUT }, async () => {
    await docker.ok('pull', '-q', 'redis');
    await docker.ok('run', '-d', '--name', 'redis', 'redis', '--appendonly', 'yes');
    expect(await eventually('redis', 'redis-cli', 'set', 'a', 'b')).toBe('OK');
    await docker.ok('restart', 'redis');
    expect(await eventually('redis', 'redis-cli', 'get', 'a')).toBe('b');
    expect(await docker.ok('exec', 'redis', 'stat', '-c', '%U', '/proc/1')).toBe('redis');
  });

  it('postgres makes the database that the environment names, and loads its files', {
    timeout: TIMEOUT,
  }, async () => {
    await docker.ok('pull', '-q', 'postgres');
    const refused = await docker.run(['run', '--rm', 'postgres']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('POSTGRES_PASSWORD');
    await engine.control.writeFile(
      'catalogue',
      '/srv/init/shop.sql',
      'create table item (n int); insert into item values (7);',
    );
    const settings = ['-e', 'POSTGRES_PASSWORD=secret', '-e', 'POSTGRES_USER=app', '-e', 'POSTGRES_DB=shop'];
    await docker.ok(
      'run',
      '-d',
      '--name',
      'pg',
      ...settings,
      '-v',
      '/srv/init:/docker-entrypoint-initdb.d',
      'postgres',
    );
    const query = ['psql', '-h', '127.0.0.1', '-U', 'app', '-d', 'shop', '-tAc', 'select n from item'];
    expect(await eventually('pg', 'env', 'PGPASSWORD=secret', ...query)).toBe('7');
    await docker.ok('restart', 'pg');
    expect(await eventually('pg', 'env', 'PGPASSWORD=secret', ...query)).toBe('7');
  });

  it('mariadb makes a user and a database', { timeout: TIMEOUT }, async () => {
    await docker.ok('pull', '-q', 'mariadb');
    const settings = ['ROOT_PASSWORD=secret', 'USER=app', 'PASSWORD=it’s', 'DATABASE=shop'];
    await docker.ok(
      'run',
      '-d',
      '--name',
      'maria',
      ...settings.flatMap((each) => ['-e', `MARIADB_${each}`]),
      'mariadb',
    );
    await eventually('maria', 'healthcheck.sh', '--connect', '--innodb_initialized');
    const query = ['mariadb', '-uapp', '-pit’s', 'shop', '-NBe', 'select current_user()'];
    expect(await eventually('maria', ...query)).toBe('app@%');
    expect((await docker.run(['exec', 'maria', 'mariadb', '-uroot', '-pwrong', '-e', 'select 1'])).code).toBe(
      1,
    );
  });
});

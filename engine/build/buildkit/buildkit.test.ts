// The real docker CLI with buildx against the front door; behind it a small builder of the test's own.

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CommandResult, DockerCli, dockerCommand, runCommand } from '../../../test/support/docker.ts';
import { pluginConfig } from '../../../test/support/plugins.ts';
import type { Builder, BuildRequest, BuildResult, CacheRecord } from '../build.ts';
import type { ContextSnapshot } from '../context.ts';
import { BuildError } from '../error.ts';
import { FrontHost, missing } from '../test/front-host.ts';

const IMAGE = `sha256:${'ab'.repeat(32)}`;
const STEP = `sha256:${'01'.repeat(32)}`;

/** Does what a test tells it to, and remembers what it was asked. */
class TestBuilder implements Builder {
  requests: BuildRequest[] = [];
  run: (request: BuildRequest) => Promise<BuildResult> = async () => ({
    imageId: IMAGE,
    manifestDigest: IMAGE,
  });
  records: CacheRecord[] = [];

  build(request: BuildRequest): Promise<BuildResult> {
    this.requests.push(request);
    return this.run(request);
  }

  async check(request: BuildRequest): Promise<void> {
    await this.run(request);
  }

  async usage(): Promise<readonly CacheRecord[]> {
    return this.records;
  }

  async prune(): Promise<readonly CacheRecord[]> {
    return this.records.splice(0);
  }
}

describe.skipIf(missing)(`docker build at the front door${missing ? ` (${missing})` : ''}`, () => {
  const builder = new TestBuilder();
  let host: FrontHost;
  let config: string;
  let work: string;

  beforeAll(async () => {
    host = await FrontHost.open(builder);
    config = await pluginConfig();
  });
  afterAll(async () => {
    // nothing of a client that is gone stays
    expect(host.fronts.sessions.size).toBe(0);
    expect(host.fronts.connections.size).toBe(0);
    await host.close();
    await rm(config, { recursive: true, force: true });
  });
  beforeEach(async () => {
    builder.requests = [];
    builder.run = async () => ({ imageId: IMAGE, manifestDigest: IMAGE });
    work = await mkdtemp(path.join(host.directory, 'work-'));
    await writeFile(path.join(work, 'Dockerfile'), 'FROM scratch\n');
  });

  async function docker(
    args: readonly string[],
    stdin?: string | Uint8Array,
    more: Record<string, string> = {},
  ): Promise<CommandResult> {
    const root = path.join(process.env.BERTH_DATA ?? '/var/lib/berth', 'host-image/root');
    const cli = new DockerCli(dockerCommand(root), host.socket);
    const env = { DOCKER_CONFIG: config, HOME: work, TOKEN: 'from the environment', ...more };
    return cli.run(args, { env, timeout: 20_000, ...(stdin === undefined ? {} : { stdin }) });
  }
  const build = (...args: string[]) => docker(['build', '--progress=plain', ...args, work]);

  it('hands over every option, and gives the image its names', async () => {
    const result = await build(
      ...['-t', 'one', '-t', 'me/two:v2', '--build-arg', 'A=1', '--build-arg', 'B=x=y', '--label', 'l=v'],
      ...['--target', 'final', '--no-cache', '--pull', '--network', 'none', '--add-host', 'db:10.0.0.1'],
      ...['--shm-size', '64m', '--ulimit', 'nofile=100:200', '--iidfile', path.join(work, 'iid')],
      ...['--build-context', 'base=docker-image://busybox', '--build-context', `more=${work}`],
    );
    expect(result).toMatchObject({ code: 0 });
    expect(await readFile(path.join(work, 'iid'), 'utf8')).toBe(IMAGE);
    const [request] = builder.requests;
    expect(request).toMatchObject({
      contextName: 'context',
      dockerfile: { contextName: 'dockerfile', path: 'Dockerfile' },
      target: 'final',
      noCache: true,
      pulls: true,
      network: 'none',
      extraHosts: ['db:10.0.0.1'],
      shmSize: 64 * 2 ** 20,
      ulimits: [{ name: 'nofile', soft: 100, hard: 200 }],
      output: { type: 'image', references: ['docker.io/library/one:latest', 'docker.io/me/two:v2'] },
    });
    expect([...(request?.buildArgs ?? [])]).toEqual(
      expect.arrayContaining([
        ['A', '1'],
        ['B', 'x=y'],
      ]),
    );
    expect([...(request?.labels ?? [])]).toEqual([['l', 'v']]);
    expect(request?.namedContexts.get('base')).toMatchObject({ kind: 'image' });
    expect(request?.namedContexts.get('more')).toMatchObject({ kind: 'local' });
  });

  it('shows steps, their output, transfers and warnings as BuildKit does', async () => {
    builder.run = async ({ onProgress }) => {
      const now = BigInt(Date.now()) * 1_000_000n;
      const step = {
        type: 'vertex',
        digest: STEP,
        inputs: [],
        name: '[1/1] RUN make',
        isCached: false,
      } as const;
      onProgress({ ...step, started: now, error: '' });
      onProgress({
        type: 'part',
        vertex: STEP,
        id: 'transferring context:',
        current: 2,
        total: 0,
        started: now,
        completed: now,
      });
      onProgress({ type: 'log', vertex: STEP, stream: 'stdout', time: now, data: Buffer.from('hello\n') });
      const file = { name: 'Dockerfile', data: Buffer.from('FROM scratch\nrun make\n') };
      onProgress({
        type: 'warning',
        vertex: STEP,
        rule: 'ConsistentInstructionCasing',
        description: 'All commands within the Dockerfile should use the same casing',
        message: "Command 'run' should match the case of the command majority (uppercase)",
        url: 'https://docs.docker.com/go/dockerfile/rule/consistent-instruction-casing/',
        source: { file, firstLine: 2, lastLine: 2 },
      });
      onProgress({ ...step, started: now, completed: now + 1_000_000n, error: '' });
      return { imageId: IMAGE, manifestDigest: IMAGE };
    };
    const { code, stderr } = await build();
    expect(code).toBe(0);
    expect(stderr).toMatch(/#1 \[1\/1\] RUN make\n/);
    expect(stderr).toMatch(/#1 transferring context: 2B/);
    expect(stderr).toMatch(/#1 [\d.]+ hello\n/);
    expect(stderr).toMatch(/#1 DONE 0\.0s/);
    expect(stderr).toMatch(/1 warning found/);
    expect(stderr).toContain("ConsistentInstructionCasing: Command 'run' should match");
    const json = await docker(['build', '--progress=rawjson', work]);
    expect(json.stderr).toContain('"name": "[1/1] RUN make"');
  });

  it('prints the lines of the Dockerfile that an error is about', async () => {
    const file = { name: 'Dockerfile', data: Buffer.from('FROM busybox\n\nRUN false\nCMD x\n') };
    builder.run = async () => {
      throw new BuildError('process "/bin/sh -c false" did not complete successfully: exit code: 1', {
        file,
        firstLine: 3,
        lastLine: 3,
      });
    };
    const { code, stderr } = await build();
    expect(code).toBe(1);
    expect(stderr).toContain('Dockerfile:3\n--------------------\n   1 |     FROM busybox\n');
    expect(stderr).toContain('   3 | >>> RUN false\n');
    expect(stderr).toContain(
      'ERROR: failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1',
    );
  });

  /** a builder that reads the context and tells what it saw */
  function readsContext(request: Partial<Parameters<BuildRequest['client']['fetchContext']>[0]> = {}) {
    const seen: { snapshot?: ContextSnapshot; sent: number; files: Map<string, string> } = {
      sent: 0,
      files: new Map(),
    };
    builder.run = async ({ client, signal }) => {
      const snapshot = await client.fetchContext({
        name: 'context',
        includePatterns: [],
        excludePatterns: [],
        signal,
        onProgress: ({ current }) => {
          seen.sent = current;
        },
        ...request,
      });
      seen.snapshot = snapshot;
      for (const { type, path: name } of snapshot.entries) {
        if (type === 'file') {
          seen.files.set(name, await readFile(path.join(host.root, snapshot.directory, name), 'utf8'));
        }
      }
      await snapshot.release();
      return { imageId: IMAGE, manifestDigest: IMAGE };
    };
    return seen;
  }

  it('brings the context, and of the next one only what changed', async () => {
    await mkdir(path.join(work, 'a/b'), { recursive: true });
    await writeFile(path.join(work, 'a/b/one'), '1');
    await writeFile(path.join(work, 'a-b'), 'x'.repeat(3_000_000));
    await writeFile(path.join(work, `a/${'long'.repeat(40)}`), 'long name');
    await symlink('../a-b', path.join(work, 'a/link'));
    const first = readsContext();
    expect(await build()).toMatchObject({ code: 0 });
    expect(first.snapshot?.entries.map((entry) => entry.path)).toEqual([
      'Dockerfile',
      'a',
      'a/b',
      'a/b/one',
      'a/link',
      `a/${'long'.repeat(40)}`,
      'a-b',
    ]);
    expect(first.files.get('a/b/one')).toBe('1');
    expect(first.files.get('a-b')?.length).toBe(3_000_000);
    expect(first.sent).toBeGreaterThan(3_000_000);
    const digest = first.snapshot?.entries.find(({ path }) => path === 'a/b/one')?.digest;
    expect(digest).toBe('sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b');

    const second = readsContext();
    await build();
    expect(second.snapshot?.directory).toBe(first.snapshot?.directory);
    expect(second.snapshot?.entries).toEqual(first.snapshot?.entries);
    expect(second.sent).toBeLessThan(2000);

    await rm(path.join(work, 'a/b'), { recursive: true });
    await writeFile(path.join(work, 'a/b'), 'now a file');
    await rm(path.join(work, 'a/link'));
    await mkdir(path.join(work, 'a/link/deep'), { recursive: true });
    await writeFile(path.join(work, 'a/link/deep/new'), 'new');
    await rm(path.join(work, 'a-b'));
    const third = readsContext();
    await build();
    expect(Object.fromEntries(third.files)).toEqual({
      Dockerfile: 'FROM scratch\n',
      'a/b': 'now a file',
      'a/link/deep/new': 'new',
      [`a/${'long'.repeat(40)}`]: 'long name',
    });
    expect(third.sent).toBeLessThan(3000);
  });

  it('brings thousands of files, quickly', async () => {
    for (let d = 0; d < 20; d++) {
      await mkdir(path.join(work, `d${d}`));
      for (let f = 0; f < 100; f++)
        await writeFile(path.join(work, `d${d}/f${f}`), randomBytes(50).toString('hex'));
    }
    let taken = 0;
    let count = 0;
    builder.run = async ({ client, signal }) => {
      const started = Date.now();
      const onProgress = () => undefined;
      const wanted = { name: 'context', includePatterns: [], excludePatterns: [], onProgress, signal };
      const snapshot = await client.fetchContext(wanted);
      taken = Date.now() - started;
      count = snapshot.entries.length;
      await snapshot.release();
      return { imageId: IMAGE, manifestDigest: IMAGE };
    };
    expect(await build()).toMatchObject({ code: 0 });
    expect(count).toBe(2021);
    expect(taken).toBeLessThan(5000);
  }, 60_000);

  it('asks for what it needs: patterns, symbolic links followed, exclusions', async () => {
    await mkdir(path.join(work, 'src'));
    for (const name of ['src/a.c', 'src/b.c', 'src/c.h', 'other'])
      await writeFile(path.join(work, name), name);
    await symlink('other', path.join(work, 'link'));
    const some = readsContext({ includePatterns: ['src/*.c', 'link'], excludePatterns: ['src/b.c'] });
    await build();
    expect(some.snapshot?.entries.map(({ path }) => path)).toEqual(['link', 'other', 'src', 'src/a.c']);
    const umlauts = readsContext({ excludePatterns: ['*', '!größe'] });
    await writeFile(path.join(work, 'größe'), 'x');
    await build();
    expect(umlauts.snapshot?.entries.map(({ path }) => path)).toEqual(['größe']);
  });

  it('reads single files: a Dockerfile elsewhere, from standard input, or none', async () => {
    await writeFile(path.join(work, 'real'), 'FROM real\n');
    await symlink('./real', path.join(work, 'Other'));
    const read: (string | undefined)[] = [];
    builder.run = async ({ client, dockerfile, contextName }) => {
      read.push((await client.readFile(dockerfile.contextName, dockerfile.path, 1000))?.toString());
      read.push((await client.readFile(contextName, '.dockerignore', 1000))?.toString());
      return { imageId: IMAGE, manifestDigest: IMAGE };
    };
    expect(await build('-f', path.join(work, 'Other'))).toMatchObject({ code: 0 });
    expect(await docker(['build', '-f', '-', work], 'FROM input\n')).toMatchObject({ code: 0 });
    expect(await docker(['build', '-'], 'FROM lonely\n')).toMatchObject({ code: 0 });
    expect(read).toEqual(['FROM real\n', undefined, 'FROM input\n', undefined, 'FROM lonely\n', undefined]);
    await writeFile(path.join(work, 'Dockerfile'), 'x'.repeat(2000));
    expect((await build()).stderr).toContain('Dockerfile is larger than 1000 bytes');
  });

  it('unpacks a context that is an archive on standard input', async () => {
    await mkdir(path.join(work, 'd'));
    await writeFile(path.join(work, 'd/file'), 'inside');
    const file = path.join(host.directory, 'context.tgz');
    await runCommand(['tar', '-C', work, '-czf', file, '.']);
    const read: (string | undefined)[] = [];
    builder.run = async ({ client, dockerfile, signal, contextName }) => {
      read.push((await client.readFile(dockerfile.contextName, dockerfile.path, 1000))?.toString());
      const onProgress = () => undefined;
      const wanted = { name: contextName, includePatterns: [], excludePatterns: [], onProgress, signal };
      const snapshot = await client.fetchContext(wanted);
      read.push(await readFile(path.join(host.root, snapshot.directory, 'd/file'), 'utf8'));
      await snapshot.release();
      return { imageId: IMAGE, manifestDigest: IMAGE };
    };
    expect(await docker(['build', '-'], await readFile(file))).toMatchObject({ code: 0 });
    expect(read).toEqual(['FROM scratch\n', 'inside']);
  });

  it('asks for secrets, and knows those that are not there', async () => {
    await writeFile(path.join(work, 'secret'), 'sesame');
    const found: (string | undefined)[] = [];
    builder.run = async ({ client, signal }) => {
      for (const id of ['file', 'variable', 'none'])
        found.push((await client.secret(id, signal))?.toString());
      expect(await client.ssh('default', signal)).toBeUndefined();
      return { imageId: IMAGE, manifestDigest: IMAGE };
    };
    const secrets = [
      '--secret',
      `id=file,src=${path.join(work, 'secret')}`,
      '--secret',
      'id=variable,env=TOKEN',
    ];
    expect(await build(...secrets)).toMatchObject({ code: 0 });
    expect(found).toEqual(['sesame', 'from the environment', undefined]);
  });

  it('gives files and archives to the client', async () => {
    const tree = path.join(work, 'tree');
    await mkdir(path.join(tree, 'sub'), { recursive: true });
    await writeFile(path.join(tree, 'sub/a'), 'a'.repeat(200_000));
    await writeFile(path.join(tree, 'b'), '', { mode: 0o600 });
    await symlink('sub/a', path.join(tree, 'c'));
    await runCommand(['tar', '-C', tree, '--sort=name', '-cf', path.join(work, 'tree.tar'), '.']);
    const archive = await readFile(path.join(work, 'tree.tar'));
    builder.run = async ({ output }) => {
      async function* tar() {
        for (let at = 0; at < archive.length; at += 10_000) yield archive.subarray(at, at + 10_000);
      }
      if (output.type === 'files') await output.write(tar());
      return { imageId: undefined, manifestDigest: undefined };
    };
    const out = path.join(work, 'out');
    expect(await build('-o', out)).toMatchObject({ code: 0 });
    expect((await runCommand(['diff', '-r', '--no-dereference', tree, out])).stdout).toBe('');
    expect(await build('-o', `type=tar,dest=${work}/out.tar`)).toMatchObject({ code: 0 });
    expect((await readFile(path.join(work, 'out.tar'))).equals(archive)).toBe(true);
  });

  it('cancels the build when the client goes', async () => {
    let aborted = 0;
    builder.run = async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      aborted++;
      throw signal.reason;
    };
    const root = path.join(process.env.BERTH_DATA ?? '/var/lib/berth', 'host-image/root');
    const cli = new DockerCli(dockerCommand(root), host.socket);
    const env = { DOCKER_CONFIG: config, HOME: work };
    await expect(cli.run(['build', work], { env, timeout: 1500 })).rejects.toThrow('no end');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(aborted).toBe(1);
  });

  it('prints the findings of the build checks', async () => {
    const file = { name: 'Dockerfile', data: Buffer.from('FROM scratch as a\n') };
    builder.run = async ({ onProgress }) => {
      onProgress({
        type: 'warning',
        vertex: STEP,
        rule: 'FromAsCasing',
        description: "The 'as' keyword should match the case of the 'from' keyword",
        message: "'as' and 'FROM' keywords' casing do not match",
        url: 'https://docs.docker.com/go/dockerfile/rule/from-as-casing/',
        source: { file, firstLine: 1, lastLine: 1 },
      });
      return { imageId: undefined, manifestDigest: undefined };
    };
    const { stdout, stderr } = await docker(['buildx', 'build', '--print=lint', work], '', {
      BUILDX_EXPERIMENTAL: '1',
    });
    expect(stdout + stderr).toContain('FromAsCasing');
  });

  it('says what it does not build', async () => {
    const refused = async (...args: string[]) => (await docker(['build', ...args], '')).stderr;
    expect(await refused('https://github.com/docker/buildx.git')).toContain('is not supported by Berth');
    expect(await refused('--build-context', 'x=https://example.com/x.tar', work)).toContain(
      'not supported by Berth',
    );
    expect(await refused('--build-arg', 'BUILDKIT_SYNTAX=example/front', work)).toBe('');
    expect(await refused('--cache-to', 'type=inline', work)).toContain('build cache');
  });

  it('lists and frees what the cache holds', async () => {
    readsContext();
    await build();
    builder.records = [
      {
        id: 'abcdefghijklmnopqrstuvwxy',
        parents: [],
        type: 'regular',
        description: 'mount / from exec /bin/sh -c make',
        isInUse: false,
        isShared: false,
        size: 12_000,
        createdAt: new Date().toISOString(),
        lastUsedAt: undefined,
        usageCount: 2,
      },
    ];
    const du = await docker(['buildx', 'du']);
    expect(du.stdout).toMatch(/abcdefghijklmnopqrstuvwxy\s+true\s+12kB/);
    expect((await docker(['buildx', 'du', '--verbose'])).stdout).toContain('local source for context');
    const pruned = await docker(['buildx', 'prune', '-f', '-a']);
    expect(pruned.stdout).toContain('abcdefghijklmnopqrstuvwxy');
    expect(host.fronts.contexts.usage()).toEqual([]);
    expect((await docker(['buildx', 'inspect'])).stdout).toMatch(/Driver: +docker\n[\s\S]*v0\.1\.0/);
    expect((await docker(['buildx', 'ls'])).stdout).toMatch(
      /default\s+running\s+v0\.1\.0\s+linux\/(amd64|arm64)/,
    );
  });
});

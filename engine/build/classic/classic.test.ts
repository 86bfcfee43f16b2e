// POST /build as clients without BuildKit send it: odd and hostile archives and queries, with a builder of the test's own.

import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TAR_END, tarHeader, tarPadding } from '../../image/tar.ts';
import type { Builder, BuildRequest, BuildResult } from '../build.ts';
import type { ContextSnapshot } from '../context.ts';
import { parseDockerfile } from '../dockerfile/read.ts';
import type { BuildEvent } from '../progress.ts';
import { FrontHost, missing } from '../test/front-host.ts';
import { ClassicOutput, classicError } from './output.ts';
import { readClassicRequest } from './request.ts';

const IMAGE = `sha256:${'ab'.repeat(32)}`;

interface Member {
  name: string;
  data?: string;
  type?: string;
  link?: string;
  mode?: string;
}

function archive(...members: Member[]): Buffer {
  const parts = members.flatMap(({ name, data = '', type = '0', link = '', mode = '0000644' }) => {
    const header = tarHeader(name, data.length);
    header.write(mode, 100, 'latin1');
    header.write('0001750', 108, 'latin1');
    header.write(type, 156, 'latin1');
    header.write(link, 157, 'utf8');
    header.fill(0x20, 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return [header, Buffer.from(data), tarPadding(data.length)];
  });
  return Buffer.concat([...parts, TAR_END]);
}

const DOCKERFILE = { name: 'Dockerfile', data: 'FROM scratch\n' };

describe.skipIf(missing)(`POST /build${missing ? ` (${missing})` : ''}`, () => {
  let host: FrontHost;
  let run: (request: BuildRequest) => Promise<BuildResult> = async () => ({
    imageId: IMAGE,
    manifestDigest: undefined,
  });
  const builder: Builder = {
    build: (request) => run(request),
    check: async () => undefined,
    usage: async () => [],
    prune: async () => [],
  };
  beforeAll(async () => {
    host = await FrontHost.open(builder);
  });
  afterAll(() => host.close());
  afterEach(() => {
    run = async () => ({ imageId: IMAGE, manifestDigest: undefined });
  });

  function post(
    query: string,
    body: Buffer,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const request = http.request(
        { socketPath: host.socket, method: 'POST', path: `/v1.45/build?${query}`, headers },
        (response) => {
          text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
        },
      );
      request.once('error', reject);
      request.end(body);
    });
  }

  /** what the builder gets of the context */
  async function contextOf(
    body: Buffer,
  ): Promise<{ snapshot: ContextSnapshot; read(name: string): Promise<string> }> {
    const found: { snapshot?: ContextSnapshot } = {};
    const contents = new Map<string, string>();
    run = async ({ client, signal }) => {
      const onProgress = () => undefined;
      const wanted = { name: 'context', includePatterns: [], excludePatterns: [], onProgress, signal };
      found.snapshot = await client.fetchContext(wanted);
      for (const { path: name, type } of found.snapshot.entries) {
        if (type !== 'file') continue;
        contents.set(name, await readFile(path.join(host.root, found.snapshot.directory, name), 'utf8'));
      }
      return { imageId: IMAGE, manifestDigest: undefined };
    };
    const { body: answer } = await post('', body);
    expect(answer).toContain('Successfully built abababababab');
    if (!found.snapshot) throw new Error(answer);
    return { snapshot: found.snapshot, read: async (name) => contents.get(name) ?? '' };
  }

  it('takes an archive, plain or compressed, and gives its files to root', async () => {
    const members = [
      { name: './', type: '5', mode: '0000755' },
      { name: 'deep/er/file', data: 'x' },
      { name: 'soft', type: '2', link: '../../etc/passwd' },
      { name: 'hard', type: '1', link: 'deep/er/file' },
      { name: 'device', type: '3' },
      DOCKERFILE,
      { name: 'deep/er/file', data: 'again' },
    ];
    for (const body of [archive(...members), gzipSync(archive(...members))]) {
      const { snapshot, read } = await contextOf(body);
      expect(snapshot.entries.map(({ path }) => path)).toEqual([
        'Dockerfile',
        'deep',
        'deep/er',
        'deep/er/file',
        'hard',
        'soft',
      ]);
      expect(snapshot.entries.every(({ uid, gid }) => uid === 0 && gid === 0)).toBe(true);
      expect(await read('deep/er/file')).toBe('again');
      expect(await read('hard')).toBe('x');
    }
    expect(host.fronts.contexts.usage()).toEqual([]);
  });

  it.each<[string, Buffer, RegExp]>([
    ['a name that leads out', archive({ name: '../x', data: 'x' }, DOCKERFILE), /invalid path/],
    [
      'a name below a link',
      archive({ name: 'l', type: '2', link: '/' }, { name: 'l/x', data: '' }, DOCKERFILE),
      /not below a directory/,
    ],
    ['a name below a file', archive({ name: 'f' }, { name: 'f/x' }, DOCKERFILE), /not below a directory/],
    [
      'a hard link out',
      archive({ name: 'h', type: '1', link: '../../etc/passwd' }, DOCKERFILE),
      /invalid hard link/,
    ],
    ['an empty link', archive({ name: 's', type: '2' }, DOCKERFILE), /not valid/],
    ['noise', Buffer.alloc(4096, 'noise'), /invalid tar header/],
    [
      'half an archive',
      archive(DOCKERFILE, { name: 'x', data: 'y'.repeat(5000) }).subarray(0, 3000),
      /unexpected EOF/,
    ],
    ['broken gzip', Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6, 7]), /gzip|incorrect|unknown/],
    ['no Dockerfile', archive({ name: 'other' }), /Cannot locate specified Dockerfile: Dockerfile/],
    ['an empty Dockerfile', archive({ name: 'Dockerfile' }), /cannot be empty/],
    ['a Dockerfile that is a folder', archive({ name: 'Dockerfile', type: '5' }), /Cannot locate/],
    [
      'a Dockerfile that is a link out',
      archive({ name: 'Dockerfile', type: '2', link: '/etc/passwd' }),
      /Cannot locate/,
    ],
    ['a wrong Dockerfile', archive({ name: 'Dockerfile', data: 'FORM x\n' }), /unknown instruction: FORM/],
  ])('refuses %s, and leaves nothing of it', async (_, body, words) => {
    const { status, body: answer } = await post('', body);
    expect(status).toBe(400);
    expect(JSON.parse(answer).message).toMatch(words);
    expect(host.fronts.contexts.usage()).toEqual([]);
  });

  it('cancels by the id, and when the client goes', async () => {
    let aborted = 0;
    let begun: () => void = () => undefined;
    run = ({ signal }) => {
      begun();
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted++;
          reject(signal.reason);
        });
      });
    };
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const building = post('buildid=mine', archive(DOCKERFILE));
    await started;
    await new Promise<void>((resolve) => {
      const target = { socketPath: host.socket, method: 'POST', path: '/build/cancel?id=mine' };
      http.request(target, (response) => response.resume().once('end', resolve)).end();
    });
    expect((await building).body).toContain('the build was cancelled');
    const leaving = http.request({ socketPath: host.socket, method: 'POST', path: '/build' });
    leaving.on('error', () => undefined);
    const again = new Promise<void>((resolve) => {
      begun = resolve;
    });
    leaving.end(archive(DOCKERFILE));
    await again;
    leaving.destroy();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(aborted).toBe(2);
  });

  it('knows the accounts that the client sends', async () => {
    const config = { 'https://index.docker.io/v1/': { username: 'me', password: 'secret' } };
    let found: unknown;
    run = async ({ client, signal }) => {
      found = [await client.credentials('docker.io', signal), await client.credentials('other', signal)];
      return { imageId: IMAGE, manifestDigest: undefined };
    };
    const header = Buffer.from(JSON.stringify(config)).toString('base64url');
    await post('', archive(DOCKERFILE), { 'X-Registry-Config': header });
    expect(found).toEqual([{ username: 'me', secret: 'secret' }, undefined]);
  });
});

describe('the query of POST /build', () => {
  const read = (query: string) => readClassicRequest(new URLSearchParams(query));
  it('is read with all that it can have', () => {
    const query = new URLSearchParams({
      dockerfile: './sub/Dockerfile',
      target: 't',
      buildargs: '{"A":"1","B":null}',
      labels: '{"l":"v"}',
      nocache: '1',
      pull: 'true',
      networkmode: 'none',
      shmsize: '67108864',
      ulimits: '[{"Name":"nofile","Soft":1,"Hard":2}]',
      q: '1',
    });
    query.append('t', 'one');
    query.append('t', 'me/two:x');
    expect(readClassicRequest(query)).toMatchObject({
      dockerfile: 'sub/Dockerfile',
      target: 't',
      buildArgs: new Map([['A', '1']]),
      labels: new Map([['l', 'v']]),
      noCache: true,
      pulls: true,
      network: 'none',
      shmSize: 67_108_864,
      ulimits: [{ name: 'nofile', soft: 1, hard: 2 }],
      isQuiet: true,
      references: ['docker.io/library/one:latest', 'docker.io/me/two:x'],
      tags: ['one:latest', 'me/two:x'],
    });
  });

  it.each([
    'dockerfile=../x',
    'buildargs=[]',
    'labels={"a":1}',
    'ulimits={}',
    'shmsize=-1',
    't=UPPER',
    'isolation=hyperv',
    'remote=https://example.com/x.git',
    'squash=1',
    'memory=1000',
    'networkmode=container:x',
    'version=2',
  ])('is refused: %s', (query) => {
    expect(() => read(query)).toThrow();
  });
});

describe('the classic lines', () => {
  const vertex = (name: string, more: object = {}): BuildEvent => {
    const digest = `sha256:${Buffer.from(name).toString('hex').padEnd(64, '0')}`;
    return { type: 'vertex', digest, inputs: [], name, isCached: false, error: '', ...more };
  };
  const log = (name: string, data: string): BuildEvent => {
    const { digest } = { digest: `sha256:${Buffer.from(name).toString('hex').padEnd(64, '0')}` };
    return { type: 'log', vertex: digest, stream: 'stdout', time: 0n, data: Buffer.from(data) };
  };
  const done = { started: 1n, completed: 2n };

  it('keep the Dockerfile’s order, whatever order the steps are done in', () => {
    const data = Buffer.from('ARG X\nFROM a AS one\nRUN x\nFROM b\nENV E=1\nRUN y\n');
    let said = '';
    const output = new ClassicOutput(parseDockerfile({ name: 'Dockerfile', data }), '', (line) => {
      if ('stream' in line) said += line.stream;
    });
    output.add(vertex('[stage-1 1/2] FROM b', done));
    output.add(vertex('[stage-1 2/2] RUN y', { started: 1n }));
    output.add(log('[stage-1 2/2] RUN y', 'from y\n'));
    output.add(vertex('[stage-1 2/2] RUN y', done));
    expect(said).not.toContain('from y');
    output.add(vertex('[one 1/2] FROM a', { isCached: true, ...done }));
    output.add(vertex('[one 2/2] RUN x', { started: 1n }));
    output.add(log('[one 2/2] RUN x', 'from x\n'));
    output.add(vertex('[one 2/2] RUN x', done));
    output.finish();
    const steps = said.replace(/[0-9a-f]{12}/g, 'ID');
    expect(steps).toBe(
      [
        'Step 1/6 : ARG X',
        'Step 2/6 : FROM a AS one\n ---> ID',
        'Step 3/6 : RUN x\n ---> Running in ID\nfrom x\n ---> Removed intermediate container ID\n ---> ID',
        'Step 4/6 : FROM b\n ---> ID',
        'Step 5/6 : ENV E=1',
        'Step 6/6 : RUN y\n ---> Running in ID\nfrom y\n ---> Removed intermediate container ID\n ---> ID\n',
      ].join('\n'),
    );
  });

  it('word errors as the classic builder did', () => {
    const failed = 'process "/bin/sh -c false" did not complete successfully: exit code: 1';
    expect(classicError(failed).errorDetail).toEqual({
      code: 1,
      message: "The command '/bin/sh -c false' returned a non-zero code: 1",
    });
    expect(classicError('anything else').error).toBe('anything else');
  });
});
